using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// A call that is made on behalf of another one, whose caller gets this. It waits for the inner call only when it is waited for itself, and
/// in the same flow: deadlock detection goes by who waits for whom, and work may start a call and leave it to itself. A caller that drops it
/// leaves no task behind whose failure nobody observes.
/// </summary>
internal abstract class Relay<TResult> : IValueTaskSource<TResult>
{
    private const int Claimed = 1; // by the one that awaits it, or takes the outcome at once
    private const int Awaited = 2;
    private const int Started = 4;

    private ManualResetValueTaskSourceCore<TResult> _outcome;
    private ConfiguredValueTaskAwaitable<TResult>.ConfiguredValueTaskAwaiter _inner;
    private ExecutionContext? _waiting;
    private int _state;

    /// <summary>What the caller awaits.</summary>
    public ValueTask<TResult> Call => new(this, Version);

    protected short Version => _outcome.Version;

    public ValueTaskSourceStatus GetStatus(short token)
    {
        if ((Volatile.Read(ref _state) & (Started | Claimed)) == Started && _inner.IsCompleted && (Interlocked.Or(ref _state, Claimed) & Claimed) == 0) Settle();
        return _outcome.GetStatus(token);
    }

    public TResult GetResult(short token) =>
        GetStatus(token) == ValueTaskSourceStatus.Pending ? throw Misuse.Error() : _outcome.GetResult(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if ((Interlocked.Or(ref _state, Claimed) & Claimed) != 0)
        {
            Misuse.Resume(continuation, state, flags);
            return;
        }

        _outcome.OnCompleted(continuation, state, token, flags);
        _waiting = ExecutionContext.Capture();
        if ((Interlocked.Or(ref _state, Awaited) & Started) != 0) Await();
    }

    /// <summary>Hands over the inner call. Once.</summary>
    protected void Start(ValueTask<TResult> inner)
    {
        _inner = inner.ConfigureAwait(false).GetAwaiter();
        if ((Interlocked.Or(ref _state, Started) & Awaited) == 0) return;
        if (_waiting is null) Await();
        else ExecutionContext.Run(_waiting, static relay => ((Relay<TResult>)relay!).Await(), this);
    }

    /// <summary>The inner call has ended, and its caller is about to be told. Not called if nobody awaits it. Does not throw.</summary>
    protected virtual void OnEnded()
    {
    }

    private void Await() => _inner.OnCompleted(Settle);

    private void Settle()
    {
        var result = default(TResult)!;
        var error = default(Exception);
        try
        {
            result = _inner.GetResult();
        }
        catch (Exception exception)
        {
            error = exception;
        }

        OnEnded();
        try
        {
            if (error is null) _outcome.SetResult(result);
            else _outcome.SetException(error);
        }
        catch (Exception)
        {
            // A synchronization context that takes no more work. Its caller is lost with it.
        }
    }
}
