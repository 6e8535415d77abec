namespace RequestCoalescing.Engine;

/// <summary>Completes subscribers of a closed flight on the threads of the pool, part by part, so that the threads share a crowd.</summary>
/// <remarks>
/// A thread of the pool runs the continuations of its part one after the other. A continuation that blocks does not hold up the next one: as long as
/// subscribers remain, another work item is queued, and the thread that runs it takes the next subscriber.
/// </remarks>
internal sealed class Landing(Subscriber first, object outcome) : IThreadPoolWorkItem
{
    private const int PartOfCrowd = 64;

    private Subscriber? _next = first;
    private bool _isPart;
    private int _isQueued;
    private int _fetched; // otherwise the compiler may leave the reads out

    /// <summary>Completes the first part of a chain on this thread, which runs no continuation. The pool does the rest.</summary>
    public static void Complete(Subscriber first, object outcome)
    {
        CutPart(first, outcome);
        Subscriber? shared = null;
        Subscriber? measured = null;
        for (Subscriber? subscriber = first, next; subscriber is not null; subscriber = next)
        {
            next = subscriber.Next; // a completed subscriber may wait for another flight at once
            if (subscriber.IsShared)
            {
                shared = subscriber; // it is completed last, because one of its callers may have a synchronization context, too
            }
            else if (subscriber.HasContext)
            {
                subscriber.Next = null;
                new Landing(subscriber, outcome).Queue(); // a synchronization context may block in Post
            }
            else if (subscriber.IsMeasured)
            {
                subscriber.Next = measured; // a listener may block, too
                measured = subscriber;
            }
            else
            {
                Complete(subscriber, outcome, continuesHere: false);
            }
        }

        if (measured is not null) new Landing(measured, outcome).Queue();
        if (shared is not null) Complete(shared, outcome, continuesHere: false);
    }

    /// <summary>Leaves a chain to the pool.</summary>
    public void Queue(bool preferLocal = false) => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal);

    public void Execute()
    {
        Volatile.Write(ref _isQueued, 0);
        if (!_isPart) _fetched = CutPart(_next!, outcome);
        _isPart = true;
        var context = ExecutionContext.Capture()!; // the default one
        while (Take() is { } subscriber)
        {
            if (Volatile.Read(ref _next) is not null && Volatile.Read(ref _isQueued) == 0 && Interlocked.Exchange(ref _isQueued, 1) == 0) Queue(preferLocal: true);
            Complete(subscriber, outcome, continuesHere: true);

            // As the pool does between two work items. A continuation that changes the thread's priority changes it for the rest of the part.
            if (ExecutionContext.Capture() != context) ExecutionContext.Restore(context);
            if (SynchronizationContext.Current is not null) SynchronizationContext.SetSynchronizationContext(null);
        }
    }

    private static void Complete(Subscriber subscriber, object outcome, bool continuesHere)
    {
        if (subscriber.HasLeft) subscriber.Next = null; // a caller that does not await its task keeps no others alive
        else subscriber.Complete(outcome, continuesHere);
    }

    // Leaves all but the first part to the pool. The walk mostly waits for memory, and meanwhile the processor fetches what the completion needs.
    private static int CutPart(Subscriber first, object outcome)
    {
        var last = first;
        var fetched = last.Fetch();
        for (var count = 1; count < PartOfCrowd && last.Next is { } next; count++)
        {
            last = next;
            fetched += last.Fetch();
        }

        if (last.Next is { } rest)
        {
            last.Next = null;
            new Landing(rest, outcome).Queue();
        }

        return fetched;
    }

    // A subscriber that another thread has taken may be part of another chain by now. The step fails then.
    private Subscriber? Take()
    {
        for (var first = Volatile.Read(ref _next); first is not null;)
        {
            var found = Interlocked.CompareExchange(ref _next, first.Next, first);
            if (found == first) return first;
            first = found;
        }

        return null;
    }
}
