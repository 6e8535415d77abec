namespace RequestCoalescing.Engine;

/// <summary>A subscriber that waits for a result of this type.</summary>
internal abstract class Subscriber<TResult> : Subscriber
{
    /// <summary>Hands over the outcome. The flight is closed.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="continuesHere">Whether the caller may go on on this thread. Otherwise it goes on on another one.</param>
    public abstract void Complete(Task<TResult> outcome, bool continuesHere);
}
