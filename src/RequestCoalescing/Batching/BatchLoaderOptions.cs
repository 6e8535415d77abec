using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>Options of a <see cref="BatchLoader{TKey, TValue}"/>. They are validated when the loader is created.</summary>
public sealed class BatchLoaderOptions
{
    /// <summary>
    /// How long the first key of a batch waits for further keys. The batch takes off earlier if <see cref="MaxBatchSize"/> keys wait. Zero: as soon as a
    /// thread of the thread pool is free. Default 1 millisecond. Range: 0 seconds to 1 minute. Timers count in milliseconds.
    /// </summary>
    /// <remarks>With a window of zero and one batch at a time (<see cref="MaxConcurrentBatches"/>), a batch takes off as soon as the previous one has returned.</remarks>
    public TimeSpan Window { get; set; } = TimeSpan.FromMilliseconds(1);

    /// <summary>How many keys a batch may have. Set it to the largest number that the backend accepts. Default 100. Range: 1 and up.</summary>
    public int MaxBatchSize { get; set; } = 100;

    /// <summary>
    /// How many batches may run at a time. Later batches take off when an earlier one has really ended, and collect keys until then.
    /// Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxConcurrentBatches { get; set; } = int.MaxValue;

    /// <summary>
    /// How many keys may wait for the take-off of their batch. <see cref="Overflow"/> decides for a key past the limit. A caller that joins a key that
    /// waits already takes no place. Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxPending { get; set; } = int.MaxValue;

    /// <summary>
    /// What happens to a key past <see cref="MaxPending"/>. <see cref="OverflowBehavior.RunAlone"/> makes it a batch of its own, which takes off at once and
    /// does not count for <see cref="MaxConcurrentBatches"/>. Default <see cref="OverflowBehavior.Reject"/>.
    /// </summary>
    public OverflowBehavior Overflow { get; set; } = OverflowBehavior.Reject;

    /// <summary>
    /// Whether the keys of a failed call are asked for again in two halves, and so on, so that one poisoned key does not fail the others. For n keys there
    /// are at most 2·⌈log₂ n⌉ more calls, one after the other, which is enough to isolate one key. Keys that are not isolated by then fail with the error
    /// of their last call. Default <see langword="false"/>.
    /// </summary>
    public bool BisectsFailures { get; set; }

    /// <summary>
    /// The name of a loader that is created by hand, in metrics and spans (the tag <c>singleflight.name</c>). Default null: the name of its engine, or a
    /// name made from the types. A loader that is registered with <c>AddBatchLoader</c> has the name of its registration.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>The clock. Default <see cref="TimeProvider.System"/>. Set a fake one in tests.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    internal BatchLoaderOptions Copy() => (BatchLoaderOptions)MemberwiseClone();

    internal void Validate()
    {
        if (Window < TimeSpan.Zero || Window > TimeSpan.FromMinutes(1)) throw new ArgumentOutOfRangeException(nameof(Window), Window, "It must be from 0 seconds to 1 minute.");
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatchSize, 1, nameof(MaxBatchSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConcurrentBatches, 1, nameof(MaxConcurrentBatches));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPending, 1, nameof(MaxPending));
        EnumCheck.ThrowUnlessDefined(Overflow, nameof(Overflow));
        if (Name is not null) ArgumentException.ThrowIfNullOrWhiteSpace(Name, nameof(Name));
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }
}
