namespace RequestCoalescing.Redis.Protocol;

/// <summary>Proof that the lease held at some moment between two timestamps of the leader's clock, and the server's time at that moment.</summary>
/// <param name="SentAt">When the request was sent, as a timestamp.</param>
/// <param name="HeardAt">When the answer arrived, as a timestamp.</param>
/// <param name="ServerTime">The server's time, in microseconds.</param>
internal sealed record Grant(long SentAt, long HeardAt, long ServerTime);
