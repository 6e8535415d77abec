using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Testing;

/// <summary>
/// The task of a call, which records the outcome when the caller takes it. Everything else is passed on to the task of the engine: that one is
/// awaited only when this one is, and in the same flow, because deadlock detection considers what work awaits.
/// </summary>
internal sealed class RecordedCall<TKey, TResult>(ValueTask<TResult> inner, FakeSingleflightCall<TKey> call) : RecordedCall, IValueTaskSource<TResult>
    where TKey : notnull
{
    private readonly ValueTask<TResult> _inner = inner;
    private volatile bool _isAwaited;
    private volatile bool _isResumed;

    // Once its task is awaited, the engine treats every other look at the task as a second await, which is misuse.
    public override bool IsCompleted => _isAwaited ? _isResumed : _inner.IsCompleted;

    public override bool IsCompletedSuccessfully => _inner.IsCompletedSuccessfully;

    public ValueTaskSourceStatus GetStatus(short token) =>
        !_inner.IsCompleted ? ValueTaskSourceStatus.Pending :
        _inner.IsCompletedSuccessfully ? ValueTaskSourceStatus.Succeeded :
        _inner.IsCanceled ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (!_isAwaited) (_isResumed, _isAwaited) = (_inner.IsCompleted, true);
        var awaiter = _inner.ConfigureAwait(flags.HasFlag(ValueTaskSourceOnCompletedFlags.UseSchedulingContext)).GetAwaiter();
        if (flags.HasFlag(ValueTaskSourceOnCompletedFlags.FlowExecutionContext)) awaiter.OnCompleted(Continue);
        else awaiter.UnsafeOnCompleted(Continue);

        void Continue()
        {
            _isResumed = true;
            continuation(state);
        }
    }

    public TResult GetResult(short token)
    {
        var awaiter = _inner.GetAwaiter();
        if (!call.TryTake()) return awaiter.GetResult(); // misuse, which the engine reports
        try
        {
            var result = awaiter.GetResult();
            call.Succeed(result);
            return result;
        }
        catch (Exception exception)
        {
            call.Fail(exception);
            throw;
        }
    }
}
