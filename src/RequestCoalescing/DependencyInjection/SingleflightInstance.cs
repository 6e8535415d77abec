using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// An instance as seen by who watches it: resolve <c>IEnumerable&lt;SingleflightInstance&gt;</c> for all that a service provider holds;
/// <see cref="GetUnregistered"/> has those that none holds.
/// Members are safe to call from any number of threads at once.
/// </summary>
public abstract class SingleflightInstance
{
    private protected SingleflightInstance(string name) => Name = name;

    /// <summary>Its name; <c>default</c> for the one that has none.</summary>
    public string Name { get; }

    /// <summary>The type of its keys.</summary>
    public abstract Type KeyType { get; }

    /// <summary>How long one of its flights may take now: <see cref="SingleflightOptions.MaxDuration"/>, which follows reloads.</summary>
    public abstract TimeSpan MaxDuration { get; }

    /// <summary>What a history records of it; null if its latencies are not measured.</summary>
    internal virtual Latencies? Latencies => null;

    /// <inheritdoc cref="ISingleflight{TKey}.GetStats"/>
    public abstract SingleflightStats GetStats();

    /// <summary>
    /// The engines of this process that were made by hand and live, unless they are not to be reported
    /// (<see cref="SingleflightOptions.IsReported"/>): those of one name together, as they are now. They keep no failures.
    /// </summary>
    public static IReadOnlyList<SingleflightInstance> GetUnregistered() => UnregisteredInstance.All();

    /// <summary>The oldest flights in the air, the oldest first.</summary>
    /// <param name="max">How many at most. Range: 0 and up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public abstract IReadOnlyList<SingleflightFlight> GetFlights(int max = 100);

    /// <summary>The oldest runs of work that go on after <see cref="SingleflightOptions.MaxDuration"/>, for nobody; the oldest first.</summary>
    /// <param name="max">How many at most. Range: 0 and up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public abstract IReadOnlyList<SingleflightFlight> GetAbandoned(int max = 100);

    /// <summary>The settings in force now, which follow reloads.</summary>
    public abstract SingleflightSettings GetSettings();

    /// <summary>The flights that failed or timed out by the type of the cause, the type that came last first; 20 types are kept.</summary>
    public abstract IReadOnlyList<SingleflightFailureGroup> GetFailureGroups();

    /// <summary>The latest flights that failed or timed out, the last first; 20 are kept.</summary>
    public abstract IReadOnlyList<SingleflightFailure> GetRecentFailures();
}
