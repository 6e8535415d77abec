using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>The options of an engine. They are validated when the engine is created.</summary>
public sealed class SingleflightOptions
{
    /// <summary>
    /// How many subscribers a flight may have at a time. <see cref="Overflow"/> decides for a caller past the limit.
    /// Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxSubscribers { get; set; } = int.MaxValue;

    /// <summary>
    /// How many flights may be in flight at a time, abandoned runs included. <see cref="Overflow"/> decides for a caller that would start one more.
    /// Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxInFlight { get; set; } = int.MaxValue;

    /// <summary>
    /// How long a flight may take. After that, every subscriber gets a <see cref="FlightTimeoutException"/>, the flight's token fires, and the key
    /// is free, even if the work goes on. For a stream, this is the time until its first item.
    /// Default 30 seconds. Range: 1 millisecond to 24 days. It cannot be infinite, so that hung work cannot block a key for ever.
    /// </summary>
    public TimeSpan MaxDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long after its start a flight can be joined. A caller that comes later starts a new flight, which becomes the current one. So no caller
    /// gets a result whose work began longer than this before the call.
    /// Default <see cref="Timeout.InfiniteTimeSpan"/> (until the flight lands). Range: more than zero, up to <see cref="MaxDuration"/>.
    /// </summary>
    public TimeSpan JoinWindow { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>What happens to a caller past a limit. Default <see cref="OverflowBehavior.Reject"/>.</summary>
    public OverflowBehavior Overflow { get; set; } = OverflowBehavior.Reject;

    /// <summary>Whether the work runs in its leader's <see cref="ExecutionContext"/>. Default <see cref="ContextFlow.Leader"/>.</summary>
    public ContextFlow ContextFlow { get; set; } = ContextFlow.Leader;

    /// <summary>
    /// Whether work begins on the thread pool. Default <see langword="false"/>: it begins on the thread of the leader, within its call, and stays
    /// there until its first await. Set it if the work computes for long before its first await. Otherwise the leader gets its task, and can leave,
    /// only after the computation. The option costs one work item of the thread pool for each flight.
    /// </summary>
    public bool StartOnThreadPool { get; set; }

    /// <summary>
    /// Whether work that waits for its own flight gets a <see cref="FlightDeadlockException"/> at once, instead of waiting until
    /// <see cref="MaxDuration"/> is over. Default <see langword="true"/>.
    /// </summary>
    /// <remarks>
    /// A call counts as a wait from the moment when its task is awaited within the work of a flight until it completes. If the work starts a
    /// background task and does not wait for it, start that task under <see cref="ExecutionContext.SuppressFlow"/>. A wait still counts if the work
    /// gives it up by other means than the call's own token (<c>WaitAsync</c>, <c>WhenAny</c>). A wait for a task that was created outside the work
    /// (<c>AsTask()</c>) does not count.
    /// </remarks>
    public bool DetectDeadlocks { get; set; } = true;

    /// <summary>
    /// The name of an engine that is created by hand, in metrics (the tag <c>singleflight.name</c>) and on the live page. Default null: a name made
    /// from the key type, such as <c>Singleflight&lt;Int64&gt;</c>. It must not be empty. Engines with the same name are counted together. An
    /// instance that is registered with <c>AddSingleflight</c> has the name of its registration.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>
    /// Whether an engine that is created by hand appears in metrics and on the live page while it lives. Default <see langword="true"/>. Set it to
    /// false for short-lived engines, because their counts disappear with them. It costs nothing per call. An instance that is registered with
    /// <c>AddSingleflight</c> always appears.
    /// </summary>
    public bool IsReported { get; set; } = true;

    /// <summary>The clock. Default <see cref="TimeProvider.System"/>. Set a fake one in tests.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Returns a copy with a shorter <see cref="MaxDuration"/>.</summary>
    internal SingleflightOptions Within(TimeSpan maxDuration)
    {
        var copy = (SingleflightOptions)MemberwiseClone();
        copy.MaxDuration = maxDuration;
        if (copy.JoinWindow > maxDuration) copy.JoinWindow = maxDuration;
        return copy;
    }

    /// <summary>Throws unless every option is in its range.</summary>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSubscribers, 1, nameof(MaxSubscribers));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxInFlight, 1, nameof(MaxInFlight));
        if (MaxDuration < TimeSpan.FromMilliseconds(1) || MaxDuration > TimeSpan.FromDays(24))
        {
            throw new ArgumentOutOfRangeException(
                nameof(MaxDuration), MaxDuration, $"{nameof(MaxDuration)} must be from 1 millisecond to 24 days.");
        }

        if (JoinWindow <= TimeSpan.Zero && JoinWindow != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(
                nameof(JoinWindow), JoinWindow, $"{nameof(JoinWindow)} must be more than zero, or Timeout.InfiniteTimeSpan.");
        }

        if (JoinWindow > MaxDuration)
        {
            throw new ArgumentException(
                $"{nameof(JoinWindow)} ({JoinWindow}) must not be longer than {nameof(MaxDuration)} ({MaxDuration}), because no flight can be joined after that.",
                nameof(JoinWindow));
        }

        if (Name is not null) ArgumentException.ThrowIfNullOrWhiteSpace(Name, nameof(Name));
        EnumCheck.ThrowUnlessDefined(Overflow, nameof(Overflow));
        EnumCheck.ThrowUnlessDefined(ContextFlow, nameof(ContextFlow));
        ArgumentNullException.ThrowIfNull(TimeProvider);
    }
}
