namespace RequestCoalescing.Engine;

/// <summary>A caller that waits for a flight, as <see cref="Lineage"/> sees it.</summary>
internal abstract class Subscriber
{
    /// <summary>The flight it waits for; another one after an election.</summary>
    public abstract Flight? Target { get; }
}
