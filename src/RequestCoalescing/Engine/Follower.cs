namespace RequestCoalescing.Engine;

/// <summary>A caller that joined a flight; it keeps its own work, in case it is elected to lead.</summary>
internal sealed class Follower<TState, TResult> : Subscriber<TResult>
{
    private TState _state = default!;
    private Func<TState, FlightContext, ValueTask<TResult>> _work = null!;
    private ExecutionContext? _context;

    public static Follower<TState, TResult> Rent(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        var follower = Pool<Follower<TState, TResult>>.Rent();
        follower._state = state;
        follower._work = work;
        follower._context = ExecutionContext.Capture();
        return follower;
    }

    public override IThreadPoolWorkItem CreateRun(Flight<TResult> successor)
    {
        IsLeader = true;
        return new ElectedRun(successor, _state, _work, _context);
    }

    protected override void Recycle()
    {
        _state = default!;
        _work = null!;
        _context = null;
        Reset();
        Pool<Follower<TState, TResult>>.Return(this);
    }

    private sealed class ElectedRun(
        Flight<TResult> flight,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        ExecutionContext? context) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            if (context is not null) ExecutionContext.Restore(context); // the pool resets it afterwards
            flight.TakeOffElected(state, work);
        }
    }
}
