using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>Hands the outcome to a chain of subscribers of a closed flight; a crowd is shared out among the threads of the pool.</summary>
internal sealed class Landing<TResult>(Subscriber first, Task<TResult> outcome) : IThreadPoolWorkItem
{
    private const int PartOfCrowd = 64;

    public void Execute() => Complete(first, outcome);

    public static void Complete(Subscriber first, Task<TResult> outcome)
    {
        // The rest goes to whoever is free. This thread has just walked its own part, which is near at hand now.
        if (Subscriber.CutAfter(first, PartOfCrowd) is { } rest)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Landing<TResult>(rest, outcome), preferLocal: false);
        }

        for (Subscriber? subscriber = first, next; subscriber is not null; subscriber = next)
        {
            next = subscriber.Next; // once completed, it may wait for another flight at once
            Unsafe.As<Subscriber<TResult>>(subscriber).Complete(outcome);
        }
    }
}
