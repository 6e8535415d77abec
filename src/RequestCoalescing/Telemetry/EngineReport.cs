namespace RequestCoalescing.Telemetry;

/// <summary>What an engine that no service provider holds shows of itself. The engine holds it, and the two are collected together.</summary>
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

/// <summary>As <see cref="EngineReport"/>, of an engine with keys of a type.</summary>
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
