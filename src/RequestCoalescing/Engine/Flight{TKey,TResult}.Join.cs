using System.Runtime.CompilerServices;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Engine;

/// <content>The ways into a flight. See also <see cref="Flight{TKey}.TryEnter{TResult}"/>.</content>
internal sealed partial class Flight<TKey, TResult>
{
    /// <summary>Joins a caller, if the flight is current and may be joined.</summary>
    /// <param name="state">The state of the caller's work.</param>
    /// <param name="work">The caller's work, in case that it is elected to lead.</param>
    /// <param name="wait">Measures the caller's wait.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <param name="call">What the caller awaits.</param>
    public bool TryJoin<TState>(
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CallerWait wait,
        CancellationToken cancellationToken,
        out ValueTask<TResult> call)
    {
        // Callers without a token cannot leave, so that they can share one task. A caller within work needs a wait of its own, for the graph of
        // waits. No caller shares the task of a flight that has observers.
        if (cancellationToken.CanBeCanceled || FlightScope.Current is not null || FlightObserver.Current is FlightObserver<TResult>)
        {
            var follower = Follower<TKey, TState, TResult>.Rent(state, work, wait);
            call = follower.Wait;
            return TryFollow(follower, cancellationToken);
        }

        if (Share(state, work, wait) is not { } shared)
        {
            call = default;
            return false;
        }

        call = new(shared.Task);
        if (!shared.IsMeasured) call = wait.For(call);
        return true;
    }

    // Under the gate, as the flight may have no shared wait yet, or a limit must be checked.
    private (Task<TResult> Task, bool IsMeasured)? Share<TState>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CallerWait wait)
    {
        (Task<TResult>, bool) shared;
        lock (Gate)
        {
            if (!MayJoin()) return null;
            if (First is not { IsShared: true })
            {
                Add(new SharedWait<TResult>(new FollowerWork<TKey, TState, TResult>(state, work)));
                Volatile.Write(ref First, First!.Previous); // the next callers find it there
            }

            shared = wait.Enter(Unsafe.As<SharedWait<TResult>>(First!));
        }

        ReportJoin(ordinal: 0);
        return shared;
    }

    /// <summary>Joins a caller that has a wait of its own, if the flight is current and may be joined. Otherwise the wait returns to its pool.</summary>
    public bool TryFollow(PooledWait<TResult> follower, CancellationToken cancellationToken)
    {
        // Everything that needs no gate comes first, so that callers hold the gate for a few instructions only.
        var observer = FlightObserver.Current as FlightObserver<TResult>;
        var lineage = observer?.LineageOf(this); // the flight may be over right after the join
        follower.Begin(this, cancellationToken);
        var hasJoined = false;
        try
        {
            hasJoined = TryArrive(follower) || TryEnter(follower, cancellationToken);
        }
        finally
        {
            if (!hasJoined) follower.Withdraw(); // also if the clock throws
        }

        if (!hasJoined) return false;
        if (cancellationToken.IsCancellationRequested) follower.LeaveAtOnce(cancellationToken); // it may have fired before the follower was there
        ReportJoin(ordinal: follower.HasArrived ? follower.Depth + Turnstile.CellOfProcessor : 0); // each stack counts from another number
        observer?.OnJoined(lineage!);
        return true;
    }

    // The usual way into a flight that has several followers needs no gate. It is open exactly while the flight is current.
    private bool TryArrive(PooledWait<TResult> follower) =>
        Volatile.Read(ref Arrivals) is { } arrivals && Table.CanShare(this) && arrivals.TryAdd(follower);

    private bool TryEnter(PooledWait<TResult> follower, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            if (cancellationToken.IsCancellationRequested || !MayJoin()) return false;
            Members++;
            Shard.Counters.Members++;
            Shard.Counters.Coalesced++;
            Add(follower);

            // From the third caller on, callers need no gate.
            if (Arrivals is { IsClosed: true }) AdmitArrivals(Shard.MaxAtOnce);
            if (Members > 2 && Arrivals is null or { IsClosed: true, Count: 0 }) Arrivals = new Arrivals();
            return true;
        }
    }

    // Under the gate. A clock that is asked for the time may run code that forgets this flight.
    private bool MayJoin()
    {
        if (!IsCurrent || !Table.CanJoin(this)) return false;
        Shard.EnsureTimer();
        return IsCurrent;
    }
}
