namespace RequestCoalescing;

/// <summary>Limits and choices of an engine. Validated when the engine is made.</summary>
public sealed class SingleflightOptions
{
    /// <summary>
    /// How many subscribers one flight may have at a time; a caller past it overflows.
    /// Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxSubscribers { get; set; } = int.MaxValue;

    /// <summary>
    /// How many flights may be in the air at a time, abandoned work included; a caller that would start one more overflows.
    /// Default <see cref="int.MaxValue"/> (no limit). Range: 1 and up.
    /// </summary>
    public int MaxInFlight { get; set; } = int.MaxValue;

    /// <summary>
    /// How long a flight may take. When it is over, every subscriber gets a <see cref="FlightTimeoutException"/>, the flight's
    /// token fires and the key is free, even if the work goes on.
    /// Default 30 seconds. Range: 1 millisecond to 24 days; never infinite, so that hung work cannot hold a key for good.
    /// </summary>
    public TimeSpan MaxDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long after its take-off a flight may be joined. A caller that comes later starts a new flight, which becomes the
    /// current one: nobody gets a result whose making began longer ago than this before they asked.
    /// Default <see cref="Timeout.InfiniteTimeSpan"/> (until it lands). Range: over zero, up to <see cref="MaxDuration"/>.
    /// </summary>
    public TimeSpan JoinWindow { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>What a caller past a limit gets. Default <see cref="OverflowBehavior.Reject"/>.</summary>
    public OverflowBehavior Overflow { get; set; } = OverflowBehavior.Reject;

    /// <summary>What the work sees of its leader's <see cref="ExecutionContext"/>. Default <see cref="ContextFlow.Leader"/>.</summary>
    public ContextFlow ContextFlow { get; set; } = ContextFlow.Leader;

    /// <summary>
    /// Whether work begins on the thread pool. Default <see langword="false"/>: it begins on the thread of the leader, inside of its call, and
    /// stays there until its first await. Set it if work computes for long before it awaits: otherwise the leader gets no task and cannot
    /// leave until the computation is over. Costs a work item of the thread pool for each flight.
    /// </summary>
    public bool StartOnThreadPool { get; set; }

    /// <summary>
    /// Whether work that waits for the flight it runs in gets a <see cref="FlightDeadlockException"/> at once instead of waiting
    /// for <see cref="MaxDuration"/>. Default <see langword="true"/>.
    /// </summary>
    /// <remarks>
    /// A call counts as waited for from when its task is awaited within the flow of a flight's work until it completes. Work that
    /// is started there and left to itself belongs under <see cref="ExecutionContext.SuppressFlow"/>. A wait that the work gives up
    /// by other means than the call's own token (<c>WaitAsync</c>, <c>WhenAny</c>) still counts; one for a task that was converted
    /// outside of the work does not.
    /// </remarks>
    public bool DetectDeadlocks { get; set; } = true;

    /// <summary>
    /// The name of an engine that is made by hand, in what is measured (the tag <c>singleflight.name</c>) and on the live page. Default null: one
    /// from the type of its keys, such as <c>Singleflight&lt;Int64&gt;</c>. Engines of one name are counted together. Not empty. An instance
    /// that is registered with <c>AddSingleflight</c> has the name of its registration.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>
    /// Whether an engine that is made by hand is in the meter and on the live page while it lives. Default <see langword="true"/>; false suits
    /// engines that come and go, whose counts go with them. Costs no call anything. An instance that is registered with <c>AddSingleflight</c>
    /// always is.
    /// </summary>
    public bool IsReported { get; set; } = true;

    /// <summary>The clock. Default <see cref="TimeProvider.System"/>.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

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
                nameof(JoinWindow), JoinWindow, $"{nameof(JoinWindow)} must be over zero, or Timeout.InfiniteTimeSpan.");
        }

        if (JoinWindow > MaxDuration)
        {
            throw new ArgumentException(
                $"{nameof(JoinWindow)} ({JoinWindow}) must not be longer than {nameof(MaxDuration)} ({MaxDuration}): no flight is there to be joined after that.",
                nameof(JoinWindow));
        }

        if (Name is not null) ArgumentException.ThrowIfNullOrWhiteSpace(Name, nameof(Name));
        if (!Enum.IsDefined(Overflow)) throw Undefined(nameof(Overflow), Overflow);
        if (!Enum.IsDefined(ContextFlow)) throw Undefined(nameof(ContextFlow), ContextFlow);
        ArgumentNullException.ThrowIfNull(TimeProvider);

        static ArgumentOutOfRangeException Undefined<T>(string name, T value)
            where T : struct, Enum =>
            new(name, value, $"{name} must be one of: {string.Join(", ", Enum.GetNames<T>())}.");
    }
}
