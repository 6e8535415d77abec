namespace RequestCoalescing.Redis.Protocol;

/// <summary>What a leader knows for sure: that it held the lease at some moment between these two on its own clock, which was this on the server's.</summary>
/// <param name="SentAt">When the request was sent, as a timestamp.</param>
/// <param name="HeardAt">When it was heard that it was granted, as a timestamp.</param>
/// <param name="ServerTime">The server's time, in microseconds.</param>
internal sealed record Grant(long SentAt, long HeardAt, long ServerTime);
