using System.Collections.Concurrent;
using System.Numerics;

namespace RequestCoalescing.Engine;

/// <summary>
/// Subscribers between two waits, in one queue for each processor, so that threads that rent and return at the same time seldom meet. A queue hands
/// subscribers out in the order of their return. Callers that come one after the other therefore touch memory that lies side by side.
/// </summary>
internal static class Pool<T>
    where T : class, IPooled, new()
{
    // Enough for a burst of 10,000 callers that all return to one queue, unless they carry a large state.
    private const int MaxBytes = 16_384 * 160;

    private static readonly Queue[] s_queues = [.. Enumerable.Range(0, (int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 16))).Select(_ => new Queue())];
    private static readonly int s_capacity = Math.Max(1, 2 * Math.Clamp(MaxBytes / T.Size, 1, 16_384) / s_queues.Length);

    public static T Rent()
    {
        var own = Thread.GetCurrentProcessorId();
        for (var i = 0; i < s_queues.Length; i++)
        {
            var queue = s_queues[(own + i) & (s_queues.Length - 1)];
            if (!queue.Items.TryDequeue(out var item)) continue;
            Interlocked.Decrement(ref queue.Count);
            return item;
        }

        return new T();
    }

    public static void Return(T item)
    {
        var queue = s_queues[Thread.GetCurrentProcessorId() & (s_queues.Length - 1)];
        if (Interlocked.Increment(ref queue.Count) <= s_capacity) queue.Items.Enqueue(item);
        else Interlocked.Decrement(ref queue.Count);
    }

    private sealed class Queue
    {
        public readonly ConcurrentQueue<T> Items = new();
        public int Count;
    }
}
