namespace RequestCoalescing.Engine;

/// <summary>A subscriber that waits for a result of this type.</summary>
internal abstract class Subscriber<TResult> : Subscriber
{
    /// <summary>Hands over the outcome. The flight is closed.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="continuesHere">Whether this thread may run the caller's continuation. Otherwise another thread runs it.</param>
    public abstract void Complete(Task<TResult> outcome, bool continuesHere);
}
