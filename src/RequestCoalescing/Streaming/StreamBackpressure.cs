namespace RequestCoalescing;

/// <summary>Which reader the source of a stream waits for.</summary>
public enum StreamBackpressure
{
    /// <summary>The source goes on while one reader keeps up. A slow reader does not slow down the others, and may fall out of the buffer.</summary>
    FastestReader,

    /// <summary>The source waits when the buffer is full. No reader loses an item. If one reader stops, all of them stop.</summary>
    SlowestReader,
}
