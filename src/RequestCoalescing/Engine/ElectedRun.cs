namespace RequestCoalescing.Engine;

/// <summary>Starts the flight of an elected leader, on the thread pool and in the leader's own context.</summary>
internal sealed class ElectedRun<TKey, TState, TResult>(
    Flight<TKey, TResult> flight,
    TState state,
    Func<TState, FlightContext, ValueTask<TResult>> work,
    ExecutionContext? context) : IThreadPoolWorkItem
    where TKey : notnull
{
    public void Execute()
    {
        if (context is not null) ExecutionContext.Restore(context); // the pool resets it afterwards
        flight.TakeOffElected(state, work);
    }
}
