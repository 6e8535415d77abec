namespace RequestCoalescing.Streaming;

/// <summary>The outcome of a flight that streams: the readers have got the items already.</summary>
/// <typeparam name="T">The type of the items, so that the engine refuses a caller that asks for others.</typeparam>
/// <param name="Cancellation">The source has ended with a cancellation that is not the flight's, after its first item. No caller can start anew then.</param>
internal sealed record StreamEnd<T>(OperationCanceledException? Cancellation) : ILocalResult
{
    public static StreamEnd<T> Regular { get; } = new((OperationCanceledException?)null);
}
