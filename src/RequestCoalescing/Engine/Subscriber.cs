namespace RequestCoalescing.Engine;

/// <summary>One who waits for a flight; a link of the ring of those aboard.</summary>
/// <remarks>Guarded by the gate of its flight's shard until it is completed.</remarks>
internal abstract class Subscriber
{
    public Subscriber? Next;
    public Subscriber? Previous;

    /// <summary>The flight it waits for; another one after an election.</summary>
    public Flight? Flight;

    /// <summary>Its place in the graph of waits, if it is work that waits. The gate under which it is set does not guard it once the flight is closed.</summary>
    public WaitGraph.Wait? WorkWait;

    /// <summary>Whether the work of the flight is this one's.</summary>
    public bool IsLeader;

    /// <summary>Whether this is a <see cref="SharedWait{TResult}"/>.</summary>
    public bool IsShared;

    /// <summary>Whether it is on its way out: its token has fired.</summary>
    public abstract bool HasCancelled { get; }

    /// <summary>Makes this the leader of a flight.</summary>
    /// <returns>What starts the flight with this one's work.</returns>
    public abstract IThreadPoolWorkItem Lead(Flight flight);

    /// <summary>Lets go of one whose token has fired. It is not aboard any more.</summary>
    public abstract void CompleteCancelled();

    /// <summary>Cuts a chain in two.</summary>
    /// <returns>The first of the second chain; null if there is none.</returns>
    public static Subscriber? CutAfter(Subscriber first, int count)
    {
        var last = first;
        while (--count > 0 && last.Next is { } next) last = next;
        var rest = last.Next;
        last.Next = null;
        return rest;
    }
}
