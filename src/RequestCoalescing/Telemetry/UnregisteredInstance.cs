using System.Runtime.CompilerServices;

namespace RequestCoalescing.Telemetry;

/// <summary>The living engines of one name that were created by hand. Each reading walks over them; nothing is stored for a flight.</summary>
internal sealed class UnregisteredInstance : SingleflightInstance
{
    // The references are weak, so that an engine can be collected without being disposed.
    private static readonly ConditionalWeakTable<EngineReport, object?> s_engines = [];
    private static readonly SingleflightMetrics? s_metrics = CreateMetrics();

    private readonly EngineReport[] _engines;

    private UnregisteredInstance(string name, IEnumerable<EngineReport> engines)
        : base(name) => _engines = [.. engines];

    public override Type KeyType => _engines[0].KeyType;

    public override TimeSpan MaxDuration => _engines.Max(engine => engine.MaxDuration);

    /// <summary>The meter of everything that was created by hand. Null if a listener prevented its creation.</summary>
    public static SingleflightMetrics? Metrics => s_metrics;

    public static void Add(EngineReport engine)
    {
        s_engines.Add(engine, null);
        s_metrics?.Expire();
    }

    public static void Remove(EngineReport engine)
    {
        if (s_engines.Remove(engine)) s_metrics?.Expire();
    }

    public static IReadOnlyList<SingleflightInstance> All() =>
        [.. s_engines.Select(entry => entry.Key).GroupBy(engine => engine.Name).OrderBy(name => name.Key, StringComparer.Ordinal).Select(name => new UnregisteredInstance(name.Key, name))];

    public override SingleflightStats GetStats() => SingleflightStats.Sum(_engines.Select(engine => engine.GetStats()));

    public override IReadOnlyList<SingleflightFlight> GetFlights(int max = 100) => Oldest(max, engine => engine.GetFlights(max));

    public override IReadOnlyList<SingleflightFlight> GetAbandoned(int max = 100) => Oldest(max, engine => engine.GetAbandoned(max));

    public override SingleflightSettings GetSettings() => _engines[0].GetSettings();

    public override IReadOnlyList<SingleflightFailure> GetRecentFailures() => [];

    public override IReadOnlyList<SingleflightFailureGroup> GetFailureGroups() => [];

    private List<SingleflightFlight> Oldest(int max, Func<EngineReport, List<SingleflightFlight>> list)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        return [.. _engines.SelectMany(list).OrderByDescending(flight => flight.Age).Take(max)];
    }

    private static SingleflightMetrics? CreateMetrics()
    {
        try
        {
            return new SingleflightMetrics(factory: null, All);
        }
        catch (Exception)
        {
            return null; // a listener that throws at a new instrument must not prevent the creation of an engine
        }
    }
}
