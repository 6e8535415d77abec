namespace RequestCoalescing.Telemetry;

/// <summary>Gives telemetry access to an engine that is not registered. The engine holds its report, so that the two are collected together.</summary>
internal abstract class EngineReport(string name)
{
    public string Name => name;

    public abstract Type KeyType { get; }

    public abstract TimeSpan MaxDuration { get; }

    public abstract SingleflightStats GetStats();

    public abstract List<SingleflightFlight> GetFlights(int max);

    public abstract List<SingleflightFlight> GetAbandoned(int max);

    public abstract SingleflightSettings GetSettings();
}

/// <summary>The report of an engine with keys of type <typeparamref name="TKey"/>.</summary>
internal sealed class EngineReport<TKey>(Singleflight<TKey> engine, string name) : EngineReport(name)
    where TKey : notnull
{
    public override Type KeyType => typeof(TKey);

    public override TimeSpan MaxDuration => engine.MaxDuration;

    public override SingleflightStats GetStats() => engine.GetStats();

    public override List<SingleflightFlight> GetFlights(int max) => engine.ListFlights(max, KeyRedactor.HashByProcess);

    public override List<SingleflightFlight> GetAbandoned(int max) => engine.ListAbandoned(max, KeyRedactor.HashByProcess);

    public override SingleflightSettings GetSettings() => engine.GetSettings();
}
