namespace RequestCoalescing.Streaming;

/// <summary>A moment in a <see cref="StreamTable{TKey, T}"/>. It passes when the next stream begins.</summary>
internal sealed class StreamMoment<TKey, T>
    where TKey : notnull
{
    private readonly TaskCompletionSource<(TKey Key, SharedStream<T> Stream, StreamMoment<TKey, T> Next)> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The stream that begins next, and the moment after that.</summary>
    public Task<(TKey Key, SharedStream<T> Stream, StreamMoment<TKey, T> Next)> Begun => _begun.Task;

    public void Pass(TKey key, SharedStream<T> stream, StreamMoment<TKey, T> next) => _begun.SetResult((key, stream, next));
}
