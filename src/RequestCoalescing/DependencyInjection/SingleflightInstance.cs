using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// An instance, for monitoring. Resolve <c>IEnumerable&lt;SingleflightInstance&gt;</c> for all instances of a service provider.
/// <see cref="GetUnregistered"/> returns the engines that no service provider holds.
/// Members are safe to call from any number of threads at once.
/// </summary>
public abstract class SingleflightInstance
{
    private protected SingleflightInstance(string name) => Name = name;

    /// <summary>Its name. <c>default</c> for the instance without a name.</summary>
    public string Name { get; }

    /// <summary>The type of its keys.</summary>
    public abstract Type KeyType { get; }

    /// <summary>The current <see cref="SingleflightOptions.MaxDuration"/>, which can be reloaded.</summary>
    public abstract TimeSpan MaxDuration { get; }

    /// <summary>The durations that a history reads. Null if they are not measured.</summary>
    internal virtual Latencies? Latencies => null;

    /// <inheritdoc cref="ISingleflight{TKey}.GetStats"/>
    public abstract SingleflightStats GetStats();

    /// <summary>
    /// Gets the engines of this process that were created by hand and still exist, unless <see cref="SingleflightOptions.IsReported"/> is false.
    /// Engines with the same name are one entry. They keep no failures.
    /// </summary>
    public static IReadOnlyList<SingleflightInstance> GetUnregistered() => UnregisteredInstance.All();

    /// <summary>Gets the oldest flights in the air. The oldest comes first.</summary>
    /// <param name="max">The highest number of flights to return. Default 100. Range: 0 and up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public abstract IReadOnlyList<SingleflightFlight> GetFlights(int max = 100);

    /// <summary>Gets the oldest runs of abandoned work, which goes on after <see cref="SingleflightOptions.MaxDuration"/>. The oldest comes first.</summary>
    /// <param name="max">The highest number of runs to return. Default 100. Range: 0 and up.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public abstract IReadOnlyList<SingleflightFlight> GetAbandoned(int max = 100);

    /// <summary>Gets the settings in force now.</summary>
    public abstract SingleflightSettings GetSettings();

    /// <summary>Gets the flights that failed or timed out, grouped by the type of the cause. The group with the latest failure comes first. 20 groups are kept.</summary>
    public abstract IReadOnlyList<SingleflightFailureGroup> GetFailureGroups();

    /// <summary>Gets the latest flights that failed or timed out. The latest comes first. 20 are kept.</summary>
    public abstract IReadOnlyList<SingleflightFailure> GetRecentFailures();
}
