using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>Completes a chain of subscribers of a closed flight. The threads of the pool share a long chain.</summary>
internal sealed class Landing<TResult>(Subscriber first, Task<TResult> outcome) : IThreadPoolWorkItem
{
    private const int PartOfCrowd = 64;

    public void Execute() => Complete(first, outcome);

    public static void Complete(Subscriber first, Task<TResult> outcome)
    {
        // Any free thread takes the rest. This thread keeps the part that it has just walked, which is in its cache now.
        if (Subscriber.CutAfter(first, PartOfCrowd) is { } rest)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Landing<TResult>(rest, outcome), preferLocal: false);
        }

        for (Subscriber? subscriber = first, next; subscriber is not null; subscriber = next)
        {
            next = subscriber.Next; // a completed subscriber may wait for another flight at once
            if (!subscriber.HasLeft) Unsafe.As<Subscriber<TResult>>(subscriber).Complete(outcome);
        }
    }
}
