namespace RequestCoalescing;

/// <summary>Turns results into bytes and back, for the nodes that follow. Must be safe to call from any number of threads at once.</summary>
public interface IFlightSerializer
{
    /// <summary>A result as bytes.</summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    byte[] Serialize<TResult>(TResult result);

    /// <summary>The result of such bytes.</summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload);
}
