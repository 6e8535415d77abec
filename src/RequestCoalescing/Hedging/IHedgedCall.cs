namespace RequestCoalescing.Hedging;

/// <summary>A <see cref="HedgedCall{TResult}"/> with any type of result. The gate of its followers guards the members.</summary>
internal interface IHedgedCall
{
    /// <summary>Its node among the followers of its key.</summary>
    LinkedListNode<IHedgedCall> Node { get; }

    /// <summary>The flight that it follows. Null if that is not known yet.</summary>
    Lead? Lead { get; set; }
}
