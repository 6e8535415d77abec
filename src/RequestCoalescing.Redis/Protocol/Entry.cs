namespace RequestCoalescing.Redis.Protocol;

/// <summary>The answer to a node that enters: it leads, it waits, or it has the outcome.</summary>
/// <param name="What">One of <see cref="Scripts.Lead"/>, <see cref="Scripts.Wait"/> and <see cref="Scripts.Outcome"/>.</param>
/// <param name="Token">The fencing token of the lease or the outcome.</param>
/// <param name="Until">The latest time at which the flight with that token had certainly not landed, as a timestamp of this node.</param>
/// <param name="Payload">The outcome.</param>
/// <param name="ServerTime">The server's time when it answered, in microseconds.</param>
/// <param name="LeaseLeft">The rest of the lease that another flight holds.</param>
internal readonly record struct Entry(
    int What, long Token, long Until, ReadOnlyMemory<byte> Payload = default, long ServerTime = 0, TimeSpan LeaseLeft = default)
{
    /// <summary>The time since the other flight took off.</summary>
    public TimeSpan Age => TimeSpan.FromMicroseconds(ServerTime - Token);

    /// <summary>Reads the answer of <see cref="Scripts.Enter"/>.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="sentAt">When the command was sent, as a timestamp of this node.</param>
    /// <param name="clock">This node's clock.</param>
    /// <exception cref="InvalidDataException">The answer has another form.</exception>
    public static Entry Read(Memory<byte> answer, long sentAt, TimeProvider clock)
    {
        var what = (int)Take(ref answer);
        var token = Take(ref answer);
        var number = Take(ref answer);
        switch (what)
        {
            case Scripts.Lead:
                return new Entry(what, token, sentAt, ServerTime: number);

            case Scripts.Outcome:
                // The server says how long before the answer it landed. The margin is for clocks that differ in speed.
                var age = TimeSpan.FromMicroseconds(Math.Max(0, number) * 1.1);
                return new Entry(what, token, sentAt - (long)(age.TotalSeconds * clock.TimestampFrequency), answer);

            default:
                return new Entry(what, token, sentAt, ServerTime: number, LeaseLeft: TimeSpan.FromMilliseconds(Scripts.Number(answer.Span)));
        }

        static long Take(ref Memory<byte> text) =>
            Message.ReadNumber(ref text, (byte)'|') ?? throw new InvalidDataException("Redis has answered in a form that this version does not know.");
    }
}
