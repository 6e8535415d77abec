using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>
/// Subscribers between two waits. Each thread keeps a chain of its own, and takes and returns whole chains from and to the common ones. Threads
/// that rent and return at the same time therefore seldom meet.
/// </summary>
internal static class Pool<T>
    where T : Subscriber, IPooled, new()
{
    // Enough for a burst of 10,000 callers, unless they carry a large state.
    private const int MaxBytes = 16_384 * 160;

    private static readonly int s_chainLength = Math.Clamp(MaxBytes / T.Size / 256, 1, 64);
    private static readonly int s_maxChains = Math.Max(1, MaxBytes / T.Size / s_chainLength);
    private static readonly ConcurrentQueue<Subscriber> s_chains = new();
    private static int s_count;

    [ThreadStatic]
    private static Chain? t_own;

    public static T Rent()
    {
        var own = t_own ??= new Chain();
        if (own.First is not { } first)
        {
            if (!s_chains.TryDequeue(out first)) return new T();
            Interlocked.Decrement(ref s_count);
            own.Length = s_chainLength;
        }

        own.First = first.Next;
        own.Length--;
        first.Next = null;
        return Unsafe.As<T>(first);
    }

    public static void Return(T item)
    {
        var own = t_own ??= new Chain();
        if (own.Length == s_chainLength)
        {
            if (Interlocked.Increment(ref s_count) <= s_maxChains) s_chains.Enqueue(own.First!);
            else Interlocked.Decrement(ref s_count);
            (own.First, own.Length) = (null, 0);
        }

        item.Next = own.First;
        own.First = item;
        own.Length++;
    }

    private sealed class Chain
    {
        public Subscriber? First;
        public int Length;
    }
}
