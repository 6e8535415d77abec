using RequestCoalescing.Engine;

namespace RequestCoalescing.Hedging;

/// <summary>A call whose work can run beside that of a slow leader.</summary>
internal abstract class HedgedCall<TResult> : Relay<TResult>, IHedgedCall
{
    private volatile bool _hasStarted;

    protected HedgedCall() => Node = new LinkedListNode<IHedgedCall>(this);

    /// <summary>Whether its work has been started, or lent to a flight that is slow.</summary>
    public bool HasStarted
    {
        get => _hasStarted;
        set => _hasStarted = value;
    }

    /// <summary>Whether its caller has left.</summary>
    public abstract bool HasCancelled { get; }

    public LinkedListNode<IHedgedCall> Node { get; }

    public Lead? Lead { get; set; }

    /// <summary>Runs its work.</summary>
    public abstract Task<TResult> RunAsync(HedgedFlight flight);
}
