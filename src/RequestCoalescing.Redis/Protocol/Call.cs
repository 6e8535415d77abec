using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A caller, until it has an outcome that did not exist before its call. It awaits its node's flight only when it is awaited itself, in the same
/// flow, as deadlock detection follows the awaits.
/// </summary>
internal sealed class Call<TKey, TState, TResult>(
    ClusterSingleflight<TKey> cluster,
    TKey key,
    TState state,
    Func<TState, FlightContext, ValueTask<TResult>> work,
    CancellationToken cancellationToken) : IValueTaskSource<TResult>
    where TKey : notnull
{
    private readonly ExecutionContext? _arrival = ExecutionContext.Capture();
    private ExecutionContext? _waiting;
    private ManualResetValueTaskSourceCore<TResult> _outcome;
    private ConfiguredValueTaskAwaitable<Landing<TResult>>.ConfiguredValueTaskAwaiter _flight;
    private long _arrivedAt;
    private bool _isAwaited;
    private bool _isSettled;

    /// <summary>The work of the node's flight, if this caller leads it.</summary>
    public ValueTask<Landing<TResult>> FlyAsync(FlightContext flight) => cluster.FlyAsync(key, state, work, flight);

    public ValueTask<TResult> StartAsync()
    {
        Board();
        return new ValueTask<TResult>(this, _outcome.Version);
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        if (!_isAwaited) TrySettle();
        return _outcome.GetStatus(token);
    }

    public TResult GetResult(short token)
    {
        if (!_isAwaited) TrySettle();
        if (_outcome.GetStatus(token) == ValueTaskSourceStatus.Pending) throw Misuse.Error();
        return _outcome.GetResult(token);
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (Interlocked.Exchange(ref _isAwaited, true))
        {
            Misuse.Resume(continuation, state, flags);
            return;
        }

        _outcome.OnCompleted(continuation, state, token, flags);
        _waiting = ExecutionContext.Capture();
        if (!_isSettled) Await();
    }

    private void Board()
    {
        _arrivedAt = cluster.Now();
        _flight = AwaiterOf(cluster.BoardAsync(key, this, cancellationToken));
    }

    private static ConfiguredValueTaskAwaitable<Landing<TResult>>.ConfiguredValueTaskAwaiter AwaiterOf(ValueTask<Landing<TResult>> flight) =>
        flight.ConfigureAwait(false).GetAwaiter();

    private void Await() => _flight.UnsafeOnCompleted(Wake);

    private void Wake()
    {
        if (_waiting is null) Go(this);
        else ExecutionContext.Run(_waiting, Go, this);

        static void Go(object? self)
        {
            var call = (Call<TKey, TState, TResult>)self!;
            if (!call.TrySettle()) call.Await();
        }
    }

    // Takes the outcome of the flight that has landed. If that outcome is older than the call, it boards another flight.
    private bool TrySettle()
    {
        while (!_isSettled && _flight.IsCompleted)
        {
            var result = default(TResult)!;
            var error = default(Exception);
            var until = long.MaxValue;
            try
            {
                var landing = _flight.GetResult();
                (result, until) = (landing.Value, landing.Until);
            }
            catch (Exception exception)
            {
                (error, until) = (exception, cluster.UntilOf(exception, key));
            }

            if (_arrivedAt > until)
            {
                try
                {
                    if (_arrival is null) Board();
                    else ExecutionContext.Run(_arrival, static call => ((Call<TKey, TState, TResult>)call!).Board(), this);
                    continue;
                }
                catch (Exception exception)
                {
                    error = exception; // new calls are refused
                }
            }

            _isSettled = true;
            try
            {
                if (error is null) _outcome.SetResult(result);
                else _outcome.SetException(error);
            }
            catch (Exception)
            {
                // The caller's synchronization context accepts no more work, so that the caller cannot resume.
            }
        }

        return _isSettled;
    }
}
