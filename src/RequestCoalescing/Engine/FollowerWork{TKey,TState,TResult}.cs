namespace RequestCoalescing.Engine;

/// <inheritdoc/>
internal sealed class FollowerWork<TKey, TState, TResult>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    : FollowerWork<TResult>
    where TKey : notnull
{
    private readonly ExecutionContext? _context = ExecutionContext.Capture();

    public override IThreadPoolWorkItem CreateRun(Flight flight) =>
        new ElectedRun<TKey, TState, TResult>((Flight<TKey, TResult>)flight, state, work, _context);
}
