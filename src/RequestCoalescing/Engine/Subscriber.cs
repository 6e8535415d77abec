namespace RequestCoalescing.Engine;

/// <summary>A caller, or several, that wait for a flight: a link in the flight's ring.</summary>
/// <remarks>Guarded by the gate of its flight's shard until it is completed.</remarks>
internal abstract class Subscriber
{
    public const int InRing = -1;

    public Subscriber? Next;
    public Subscriber? Previous;

    /// <summary>The flight it waits for; another one after an election.</summary>
    public Flight? Flight;

    /// <summary>The number of subscribers under it on a stack of arrivals, plus one. <see cref="InRing"/> if the ring of a flight holds it, also after the flight's end.</summary>
    public int Depth;

    /// <summary>
    /// Whether it has come to a stack of arrivals. The joiner sets this after its step, without the gate. Until then, another thread cannot know whether
    /// the step has been made.
    /// </summary>
    public bool HasArrived;

    // Flags in one byte, because every caller that waits has them.
    private byte _marks;

    /// <summary>Whether it has left its flight. It may still lie on a stack of arrivals.</summary>
    public bool HasLeft
    {
        get => (_marks & 1) != 0;
        set => Mark(1, value);
    }

    /// <summary>Its place in the graph of waits, if work waits. The gate guards it only until the flight is closed.</summary>
    public WaitGraph.Wait? WorkWait;

    /// <summary>Whether the flight runs the work of this subscriber.</summary>
    public bool IsLeader
    {
        get => (_marks & 2) != 0;
        set => Mark(2, value);
    }

    /// <summary>Whether this is a <see cref="SharedWait{TResult}"/>.</summary>
    public bool IsShared
    {
        get => (_marks & 4) != 0;
        protected init => Mark(4, value);
    }

    /// <summary>Whether the wait of its caller is measured.</summary>
    public bool IsMeasured
    {
        get => (_marks & 8) != 0;
        protected set => Mark(8, value);
    }

    /// <summary>The callers that a <see cref="SharedWait{TResult}"/> stands for. Zero for any other subscriber, which the flight counts itself.</summary>
    public virtual long CallerCount => 0;

    /// <summary>Whether the caller continues in a synchronization context or on a scheduler.</summary>
    public virtual bool HasContext => false;

    /// <summary>Whether its token has fired, so that it is about to leave.</summary>
    public abstract bool HasCancelled { get; }

    /// <summary>Makes this the leader of a flight.</summary>
    /// <returns>The work item that starts the flight with the work of this subscriber.</returns>
    public abstract IThreadPoolWorkItem Lead(Flight flight);

    /// <summary>The flight is no longer current: no caller may join through this subscriber from now on.</summary>
    public virtual void CloseToJoiners()
    {
    }

    /// <summary>Reads what the completion will need.</summary>
    /// <returns>A meaningless number that depends on all of it.</returns>
    public virtual int Fetch() => 0;

    /// <summary>Hands over the outcome of a closed flight.</summary>
    /// <param name="outcome">The work's task, which has ended, or the error that every subscriber gets: see <see cref="Outcome"/>.</param>
    /// <param name="continuesHere">Whether this thread may run the caller's continuation. Otherwise another thread runs it.</param>
    public abstract void Complete(object outcome, bool continuesHere);

    /// <summary>Completes a subscriber that has left the ring because its token has fired.</summary>
    public abstract void CompleteCancelled();

    /// <summary>Records the wait of its caller, before the caller goes on.</summary>
    protected virtual void EndWait()
    {
    }

    private void Mark(int mark, bool value) => _marks = (byte)(value ? _marks | mark : _marks & ~mark);
}
