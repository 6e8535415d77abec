using System.Collections.Concurrent;

namespace RequestCoalescing.Engine;

/// <summary>
/// Subscribers between two waits. Each thread keeps up to two batches of its own, chained by their links, and trades whole
/// batches with the others: callers come on some threads and resume on others, and meet only once a batch.
/// </summary>
internal static class Pool<T>
    where T : Subscriber, new()
{
    private const int BatchSize = 64;

    // Enough for a burst of 10,000 callers to find all that the last one left; about 2 MB of each kind at the most.
    private const int MaxBatches = 256;

    private static readonly ConcurrentQueue<Subscriber> s_batches = new();
    private static int s_batchCount;

    [ThreadStatic]
    private static Stock? s_stock;

    public static T Rent()
    {
        var stock = s_stock ??= new Stock();
        if (stock.First is null && !Refill(stock)) return new T();

        var item = (T)stock.First!;
        stock.First = item.Next;
        stock.Count--;
        item.Next = null;
        return item;
    }

    public static void Return(T item)
    {
        var stock = s_stock ??= new Stock();
        if (stock.Count == BatchSize) SetAside(stock);
        item.Next = stock.First;
        stock.First = item;
        stock.Count++;
    }

    private static bool Refill(Stock stock)
    {
        if (stock.FullBatch is { } own)
        {
            (stock.First, stock.FullBatch) = (own, null);
        }
        else if (s_batches.TryDequeue(out stock.First))
        {
            Interlocked.Decrement(ref s_batchCount);
        }
        else
        {
            return false;
        }

        stock.Count = BatchSize;
        return true;
    }

    private static void SetAside(Stock stock)
    {
        if (stock.FullBatch is { } surplus)
        {
            if (Interlocked.Increment(ref s_batchCount) <= MaxBatches) s_batches.Enqueue(surplus);
            else Interlocked.Decrement(ref s_batchCount);
        }

        (stock.FullBatch, stock.First, stock.Count) = (stock.First, null, 0);
    }

    private sealed class Stock
    {
        public Subscriber? First;
        public int Count;
        public Subscriber? FullBatch;
    }
}
