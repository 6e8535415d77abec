namespace RequestCoalescing.Streaming;

/// <summary>The outcome of a flight that streams.</summary>
/// <typeparam name="T">The type of the items, so that the engine refuses a caller that asks for others.</typeparam>
/// <param name="Stream">Has the items. A caller that has no place in it yet gets one now.</param>
/// <param name="Cancellation">The source has ended with a cancellation that is not the flight's, after its first item. No caller can start anew then.</param>
internal sealed record StreamEnd<T>(SharedStream<T> Stream, OperationCanceledException? Cancellation = null) : ILocalResult;
