using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>Objects between two calls. Each thread keeps a few, and exchanges them with other threads in batches.</summary>
internal static class Pool<T>
    where T : class, IPooled, new()
{
    // Enough for a burst of 10,000 callers, unless they carry a large state.
    private const int MaxItems = 16_384;
    private const int MaxBytes = MaxItems * 160;
    private const int MaxBatch = 32;

    private static readonly int s_batchSize = Math.Clamp(MaxBatch * 160 / T.Size, 1, MaxBatch);
    private static readonly int s_capacity = Math.Clamp(MaxBytes / T.Size, 1, MaxItems) / s_batchSize;
    private static readonly ConcurrentQueue<T[]> s_full = new();
    private static readonly ConcurrentQueue<T[]> s_empty = new();
    private static int s_fullCount;

    [ThreadStatic]
    private static Cache? s_cache;

    public static T Rent()
    {
        var cache = s_cache ??= new Cache();
        if (cache.Next == cache.End && !TryRefill(cache)) return new T();
        ref var place = ref cache.Rents[cache.Next++]!; // in the order of their return, which is often that of their addresses
        var item = place;
        place = null; // an object that is not pooled again must not stay alive here
        return item;
    }

    public static void Return(T item)
    {
        var cache = s_cache ??= new Cache();
        if (cache.Returned == s_batchSize) Spill(cache);
        cache.Returns[cache.Returned++] = item;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryRefill(Cache cache)
    {
        if (cache.Returned > 0)
        {
            (cache.Rents, cache.Returns) = (cache.Returns, cache.Rents);
            (cache.Next, cache.End, cache.Returned) = (0, cache.Returned, 0);
            return true;
        }

        if (!s_full.TryDequeue(out var full)) return false;
        Interlocked.Decrement(ref s_fullCount);
        s_empty.Enqueue(cache.Rents);
        (cache.Rents, cache.Next, cache.End) = (full, 0, s_batchSize);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Spill(Cache cache)
    {
        cache.Returned = 0;
        if (Interlocked.Increment(ref s_fullCount) <= s_capacity)
        {
            s_full.Enqueue(cache.Returns);
            if (!s_empty.TryDequeue(out cache.Returns!)) cache.Returns = new T[s_batchSize];
        }
        else
        {
            Interlocked.Decrement(ref s_fullCount);
            Array.Clear(cache.Returns);
        }
    }

    private sealed class Cache
    {
        public T[] Rents = new T[s_batchSize];
        public T[] Returns = new T[s_batchSize];
        public int Next;
        public int End;
        public int Returned;
    }
}
