namespace RequestCoalescing;

/// <summary>Converts results to bytes and back, for the other nodes of a cluster and for distributed caches. An implementation must be safe to call from any number of threads at once.</summary>
public interface IFlightSerializer
{
    /// <summary>Converts a result to bytes.</summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    byte[] Serialize<TResult>(TResult result);

    /// <summary>Converts bytes back to the result.</summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload);
}
