using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>Hands the outcome to a chain of subscribers of a closed flight.</summary>
internal sealed class Landing<TResult>(Subscriber first, Task<TResult> outcome) : IThreadPoolWorkItem
{
    public void Execute() => Complete(first, outcome);

    public static void Complete(Subscriber first, Task<TResult> outcome)
    {
        for (Subscriber? subscriber = first, next; subscriber is not null; subscriber = next)
        {
            next = subscriber.Next; // completed, it may be aboard another flight the next moment
            Unsafe.As<Subscriber<TResult>>(subscriber).Complete(outcome);
        }
    }
}
