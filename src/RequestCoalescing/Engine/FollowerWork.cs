namespace RequestCoalescing.Engine;

/// <summary>A follower's own work, and the context to run it in, should it be elected to lead.</summary>
internal abstract class FollowerWork<TResult>
{
    public abstract IThreadPoolWorkItem CreateRun(Flight flight);
}
