namespace RequestCoalescing.Hedging;

/// <summary>A <see cref="HedgedCall{TResult}"/>, whatever its result.</summary>
internal interface IHedgedCall
{
    /// <summary>Its place among the followers of its key.</summary>
    LinkedListNode<IHedgedCall>? Place { get; set; }
}
