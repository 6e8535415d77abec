namespace RequestCoalescing.Engine;

/// <summary>One who waits for a result.</summary>
internal abstract class Subscriber<TResult> : Subscriber
{
    /// <summary>Hands over the outcome. The flight is closed.</summary>
    public abstract void Complete(Task<TResult> outcome);
}
