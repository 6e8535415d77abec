namespace RequestCoalescing.Engine;

/// <summary>A subscriber that waits for a result of this type.</summary>
internal abstract class Subscriber<TResult> : Subscriber
{
    /// <summary>Hands over the outcome. The flight is closed.</summary>
    public abstract void Complete(Task<TResult> outcome);
}
