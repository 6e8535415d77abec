namespace RequestCoalescing.Redis.Protocol;

/// <summary>The answer to a node that wants a key: it leads, it waits, or it has the outcome.</summary>
/// <param name="What">One of the constants of <see cref="Scripts"/>.</param>
/// <param name="Token">The fencing token of the lease or the outcome.</param>
/// <param name="Until">When the flight with that token certainly had not landed yet, as a timestamp of this node.</param>
/// <param name="ServerTime">When the server answered, by its own clock, in microseconds.</param>
/// <param name="LeaseLeft">What is left of somebody else's lease.</param>
/// <param name="Payload">The outcome.</param>
internal readonly record struct Entry(int What, long Token, long Until, long ServerTime, TimeSpan LeaseLeft, ReadOnlyMemory<byte> Payload)
{
    /// <summary>How long ago somebody else's flight took off.</summary>
    public TimeSpan Age => TimeSpan.FromMicroseconds(ServerTime - Token);
}
