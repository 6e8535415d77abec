using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>A caller that has joined its node's flight and has a wait of its own. If the outcome may have existed before the call, the caller calls again.</summary>
internal sealed class ClusterFollower<TKey, TState, TResult> : PooledWait<Landing<TResult>>, IValueTaskSource<TResult>, IPooled
    where TKey : notnull
{
    private ClusterSingleflight<TKey> _cluster = null!;
    private TKey _key = default!;
    private TState _state = default!;
    private Func<TState, FlightContext, ValueTask<TResult>> _work = null!;
    private ExecutionContext? _arrival;
    private long _arrivedAt;

    public static int Size => 192 + Unsafe.SizeOf<TKey>() + Unsafe.SizeOf<TState>();

    /// <summary>Joins a flight of the node.</summary>
    /// <returns>Null if the flight is over or may not be joined.</returns>
    public static ValueTask<TResult>? TryJoin(
        Flight<TKey, Landing<TResult>> flight,
        ClusterSingleflight<TKey> cluster,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var arrivedAt = cluster.Now();
        var follower = Pool<ClusterFollower<TKey, TState, TResult>>.Rent();
        (follower._cluster, follower._key, follower._state, follower._work) = (cluster, key, state, work);
        (follower._arrival, follower._arrivedAt) = (ExecutionContext.Capture(), arrivedAt);
        var call = new ValueTask<TResult>(follower, follower.Version);
        return flight.TryFollow(follower, cancellationToken) ? call : null;
    }

    public override IThreadPoolWorkItem Lead(Flight flight)
    {
        IsLeader = true;
        return new ElectedRun<TKey, OwnWork, Landing<TResult>>(
            (Flight<TKey, Landing<TResult>>)flight, new OwnWork(_cluster, _key, _state, _work), static (work, flight) => work.FlyAsync(flight), _arrival);
    }

    public override void Complete(object outcome, bool continuesHere)
    {
        if (_arrivedAt <= UntilOf(outcome))
        {
            base.Complete(outcome, continuesHere);
            return;
        }

        (Next, Previous) = (null, null);
        ThreadPool.UnsafeQueueUserWorkItem(static follower => follower.CallAgain(), this, preferLocal: false);
    }

    TResult IValueTaskSource<TResult>.GetResult(short token) => GetResult(token).Value;

    protected override void Release()
    {
        (_cluster, _key, _state, _work, _arrival) = (null!, default!, default!, null!, null);
    }

    protected override void Recycle()
    {
        Release();
        Reset();
        Pool<ClusterFollower<TKey, TState, TResult>>.Return(this);
    }

    private long UntilOf(object outcome) =>
        outcome is Task<Landing<TResult>> { IsCompletedSuccessfully: true } landed ? landed.Result.Until : _cluster.UntilOf(Outcome.ErrorOf(outcome), _key);

    private void CallAgain()
    {
        if (_arrival is not null) ExecutionContext.Restore(_arrival); // the pool resets it afterwards
        _ = CompleteAsync();
    }

    private async Task CompleteAsync()
    {
        var outcome = OutcomeAsync();
        await ((Task)outcome).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        base.Complete(outcome, continuesHere: false);
    }

    private async Task<Landing<TResult>> OutcomeAsync() => new(await _cluster.CallAsync(_key, _state, _work, Token).ConfigureAwait(false), long.MaxValue);

    /// <summary>The caller's work, if the caller is elected to lead. It is a class, because a decorator that nests structs in each other cannot be compiled natively.</summary>
    private sealed class OwnWork(ClusterSingleflight<TKey> cluster, TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        public ValueTask<Landing<TResult>> FlyAsync(FlightContext flight) => cluster.FlyAsync(key, state, work, flight);
    }
}
