namespace RequestCoalescing.Engine;

/// <summary>An engine, whatever its keys are.</summary>
internal interface IEngine
{
    Settings Settings { get; }

    /// <summary>The shards that have been used.</summary>
    IEnumerable<Shard> Shards { get; }
}
