using System.Runtime.CompilerServices;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Engine;

/// <summary>A caller that joined a flight; it keeps its own work, in case it is elected to lead.</summary>
internal sealed class Follower<TKey, TState, TResult> : PooledWait<TResult>, IPooled
    where TKey : notnull
{
    private TState _state = default!;
    private Func<TState, FlightContext, ValueTask<TResult>> _work = null!;
    private ExecutionContext? _context;
    private CallerWait _wait;

    public static int Size => 184 + Unsafe.SizeOf<TState>();

    public static Follower<TKey, TState, TResult> Rent(TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CallerWait wait)
    {
        var follower = Pool<Follower<TKey, TState, TResult>>.Rent();
        follower._state = state;
        follower._work = work;
        follower._context = ExecutionContext.Capture();
        follower._wait = wait;
        follower.IsMeasured = wait.IsMeasured;
        return follower;
    }

    public override IThreadPoolWorkItem Lead(Flight flight)
    {
        IsLeader = true;
        return new ElectedRun<TKey, TState, TResult>((Flight<TKey, TResult>)flight, _state, _work, _context);
    }

    // In the context of the caller, as a listener may look at its span. The caller may have suppressed the flow of its context.
    protected override void EndWait() =>
        ExecutionContext.Run(_context ?? FlightScope.Empty, static follower => ((Follower<TKey, TState, TResult>)follower!)._wait.End(), this);

    protected override void Release()
    {
        _state = default!;
        _work = null!;
        _context = null;
        _wait = default;
    }

    protected override void Recycle()
    {
        Release();
        Reset();
        Pool<Follower<TKey, TState, TResult>>.Return(this);
    }
}
