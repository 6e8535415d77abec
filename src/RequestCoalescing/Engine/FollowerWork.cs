namespace RequestCoalescing.Engine;

/// <summary>A follower's own work and its context, for the case that the follower is elected to lead.</summary>
internal abstract class FollowerWork<TResult>
{
    public abstract IThreadPoolWorkItem CreateRun(Flight flight);
}
