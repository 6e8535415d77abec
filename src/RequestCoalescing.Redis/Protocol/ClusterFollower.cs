using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>A caller that has joined its node's flight and has a wait of its own. If the outcome may have existed before the call, the caller calls again.</summary>
/// <remarks>
/// It calls again only when it is awaited, as a <see cref="Call{TKey, TState, TResult}"/> does, because the graph of waits must show the work that awaits it. The landing first
/// notes that a second call is owed, and then checks whether the holder awaits the task. The holder first awaits it, and then checks whether a second call is owed. So at
/// least one of them sees the other, and exactly one begins the second call.
/// </remarks>
internal sealed class ClusterFollower<TKey, TState, TResult> : PooledWait<Landing<TResult>>, IValueTaskSource<TResult>, IPooled
    where TKey : notnull
{
    // The progress of the second call.
    private const int None = 0;
    private const int Owed = 1;
    private const int Begun = 2;

    private ClusterSingleflight<TKey> _cluster = null!;
    private TKey _key = default!;
    private TState _state = default!;
    private Func<TState, FlightContext, ValueTask<TResult>> _work = null!;
    private ExecutionContext? _arrival;
    private long _arrivedAt;
    private Flight? _awaitingWork;
    private int _again;

    public static int Size => 208 + Unsafe.SizeOf<TKey>() + Unsafe.SizeOf<TState>();

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
        Detach(); // the holder may never await
        WorkWait = null;
        Interlocked.Exchange(ref _again, Owed);
        if (IsHooked) TryCallAgain(_awaitingWork);
    }

    ValueTaskSourceStatus IValueTaskSource<TResult>.GetStatus(short token)
    {
        var status = GetStatus(token);
        if (status == ValueTaskSourceStatus.Pending && Volatile.Read(ref _again) == Owed) TryCallAgain(FlightScope.Current);
        return status;
    }

    TResult IValueTaskSource<TResult>.GetResult(short token) => GetResult(token).Value;

    protected override void WaitWithin(Flight work)
    {
        _awaitingWork = work;
        base.WaitWithin(work);
    }

    protected override void OnHooked()
    {
        if (Volatile.Read(ref _again) == Owed) TryCallAgain(_awaitingWork);
    }

    protected override void Release()
    {
        (_cluster, _key, _state, _work, _arrival) = (null!, default!, default!, null!, null);
        (_awaitingWork, _again) = (null, None);
    }

    protected override void Recycle()
    {
        Release();
        Reset();
        Pool<ClusterFollower<TKey, TState, TResult>>.Return(this);
    }

    private long UntilOf(object outcome) =>
        outcome is Task<Landing<TResult>> { IsCompletedSuccessfully: true } landed ? landed.Result.Until : _cluster.UntilOf(Outcome.ErrorOf(outcome), _key);

    private void TryCallAgain(Flight? awaitingWork)
    {
        if (Interlocked.CompareExchange(ref _again, Begun, Owed) != Owed) return;
        _awaitingWork = awaitingWork;
        ThreadPool.UnsafeQueueUserWorkItem(static follower => follower.CallAgain(), this, preferLocal: false);
    }

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

    // The second call itself is outside of the work that awaits it. It has a wait of its own, for the graph of waits.
    private async Task<Landing<TResult>> OutcomeAsync()
    {
        var call = _cluster.FollowOrStart(_key, _state, _work, Token);
        if (_awaitingWork is { Shard.Settings.DetectDeadlocks: true } work) FlightScope.Enter(work);
        return new(await call.ConfigureAwait(false), long.MaxValue);
    }

    /// <summary>The caller's work, if the caller is elected to lead. It is a class, because a decorator that nests structs in each other cannot be compiled natively.</summary>
    private sealed class OwnWork(ClusterSingleflight<TKey> cluster, TKey key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        public ValueTask<Landing<TResult>> FlyAsync(FlightContext flight) => cluster.FlyAsync(key, state, work, flight);
    }
}
