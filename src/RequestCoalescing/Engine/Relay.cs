using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// The task of an outer call that makes an inner call. If the work of a flight makes the outer call, the relay awaits the inner call only when it
/// is awaited itself, and in the same flow. Deadlock detection considers what work awaits, and work may start a call without awaiting it. If the
/// caller drops the relay, no unobserved exception is left behind.
/// </summary>
internal abstract class Relay<TResult> : IValueTaskSource<TResult>
{
    private const int Claimed = 1; // by the caller's await
    private const int Awaited = 2; // the inner call is awaited as soon as there is one
    private const int Started = 4; // there is an inner call
    private const int Hooked = 8; // the inner call is awaited

    private ManualResetValueTaskSourceCore<TResult> _outcome;
    private ConfiguredValueTaskAwaitable<TResult>.ConfiguredValueTaskAwaiter _inner;
    private ExecutionContext? _waiting;
    private int _state;

    /// <summary>The task that the caller awaits.</summary>
    public ValueTask<TResult> Call => new(this, Version);

    protected short Version => _outcome.Version;

    public ValueTaskSourceStatus GetStatus(short token)
    {
        if ((Volatile.Read(ref _state) & (Started | Hooked)) == Started && _inner.IsCompleted && (Interlocked.Or(ref _state, Hooked) & Hooked) == 0) Settle();
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
        if ((Interlocked.Or(ref _state, Awaited) & Started) != 0) HookUp();
    }

    /// <summary>Sets the inner call. Call it once.</summary>
    /// <param name="inner">The call.</param>
    /// <param name="awaitsAtOnce">Whether the inner call is awaited at once. Only before the relay has been handed out, and not within work.</param>
    protected void Start(ValueTask<TResult> inner, bool awaitsAtOnce = false)
    {
        _inner = inner.ConfigureAwait(false).GetAwaiter();
        if (awaitsAtOnce)
        {
            _state = Started | Hooked; // no other thread has this object yet
            if (_inner.IsCompleted) Settle();
            else _inner.OnCompleted(Settle);
            return;
        }

        if ((Interlocked.Or(ref _state, Started) & Awaited) == 0) return;
        if (_waiting is null) HookUp();
        else ExecutionContext.Run(_waiting, static relay => ((Relay<TResult>)relay!).HookUp(), this);
    }

    /// <summary>The inner call has ended, and its caller is about to be told. Not called if the inner call is not awaited. Does not throw.</summary>
    protected virtual void OnEnded()
    {
    }

    private void HookUp()
    {
        if ((Interlocked.Or(ref _state, Hooked) & Hooked) == 0) _inner.OnCompleted(Settle); // on the thread pool, even if it has completed by now
    }

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
            // A synchronization context that accepts no more work loses its caller.
        }
    }
}
