using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Peers.Tests;

/// <summary>The end of work. The library that awaits it continues inline on the thread that sets the result.</summary>
internal sealed class InlineCompletion<T> : IValueTaskSource<T>
{
    private readonly TaskCompletionSource _awaited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ManualResetValueTaskSourceCore<T> _core;

    /// <summary>What the work returns.</summary>
    public ValueTask<T> Task => new(this, _core.Version);

    /// <summary>Completes when the work is awaited.</summary>
    public Task Awaited => _awaited.Task;

    public void SetResult(T result) => _core.SetResult(result);

    T IValueTaskSource<T>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _core.OnCompleted(continuation, state, token, flags);
        _awaited.TrySetResult();
    }
}
