using System.Collections.Concurrent;

namespace RequestCoalescing.Engine;

/// <summary>Subscribers between two waits.</summary>
internal static class Pool<T>
    where T : class, IPooled, new()
{
    // Enough for a burst of 10,000 callers, unless they carry a large state.
    private const int MaxBytes = 16_384 * 160;

    private static readonly int s_capacity = Math.Clamp(MaxBytes / T.Size, 1, 16_384);
    private static readonly ConcurrentQueue<T> s_items = new();
    private static int s_count;

    public static T Rent()
    {
        if (!s_items.TryDequeue(out var item)) return new T();
        Interlocked.Decrement(ref s_count);
        return item;
    }

    public static void Return(T item)
    {
        if (Interlocked.Increment(ref s_count) <= s_capacity) s_items.Enqueue(item);
        else Interlocked.Decrement(ref s_count);
    }
}
