namespace RequestCoalescing;

/// <summary>Which reader the source of a stream waits for.</summary>
public enum StreamBackpressure
{
    /// <summary>The source goes on while one reader keeps up. A slow reader slows down nobody, and may fall out of the buffer.</summary>
    FastestReader,

    /// <summary>The source waits when the buffer is full. No reader loses an item, and a reader that stops stops all.</summary>
    SlowestReader,
}
