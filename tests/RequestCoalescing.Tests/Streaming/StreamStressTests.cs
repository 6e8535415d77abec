using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>All threads join, read, leave and forget streams behind one gate. Each reader sees one run from its beginning, and nothing is left.</summary>
public sealed class StreamStressTests
{
    private const int Threads = 16;
    private const int CallsPerThread = 250;

    private readonly ConcurrentDictionary<int, int> _open = new();
    private int _runs;
    private long _items;
    private int _lags;

    [Theory]
    [InlineData(10_000, StreamBackpressure.FastestReader, StreamLagBehavior.Fail, false)]
    [InlineData(10_000, StreamBackpressure.FastestReader, StreamLagBehavior.Fail, true)]
    [InlineData(8, StreamBackpressure.FastestReader, StreamLagBehavior.Fail, false)]
    [InlineData(8, StreamBackpressure.SlowestReader, StreamLagBehavior.Fail, false)]
    [InlineData(64, StreamBackpressure.SlowestReader, StreamLagBehavior.Fail, true)]
    public async Task Every_reader_sees_one_run_from_its_first_item(int maxBuffered, StreamBackpressure backpressure, StreamLagBehavior onLag, bool startsOnPool)
    {
        var singleflight = new Singleflight<int>(new SingleflightOptions { StartOnThreadPool = startsOnPool });
        var options = new StreamOptions { MaxBufferedItems = maxBuffered, Backpressure = backpressure, OnLag = onLag };
        var readers = new ConcurrentBag<Task>();
        Crowd.Run(Threads, thread =>
        {
            var random = new Random(thread);
            for (var call = 0; call < CallsPerThread; call++)
            {
                if (random.Next(20) == 0) singleflight.Forget(random.Next(3));
                readers.Add(ReadAsync(singleflight, random.Next(3), options, random.Next(8) == 0 ? random.Next(20) : int.MaxValue));
            }
        });

        await Task.WhenAll(readers).SoonAsync();
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 0 && _open.IsEmpty, "all runs have ended");
        Assert.Equal(0, singleflight.GetStats().TotalSubscribers);
        Assert.InRange(_runs, 1, Threads * CallsPerThread);
        Assert.True(_items > _runs);
        if (backpressure == StreamBackpressure.SlowestReader || maxBuffered > 1000) Assert.Equal(0, _lags);
    }

    private async Task ReadAsync(Singleflight<int> singleflight, int key, StreamOptions options, int leavesAfter)
    {
        await Task.Yield();
        var (run, next) = (-1, 0);
        try
        {
            await foreach (var item in singleflight.ExecuteStreamAsync(key, flight => Source(key, flight), options).ConfigureAwait(false))
            {
                Assert.Equal(key, item.Key);
                if (next == 0) run = item.Run;
                Assert.Equal((run, next++), (item.Run, item.Index));
                Interlocked.Increment(ref _items);
                if (next >= leavesAfter) return;
            }

            Assert.Equal(Length(run), next);
        }
        catch (StreamLagException)
        {
            Interlocked.Increment(ref _lags);
        }
    }

    private static int Length(int run) => 1 + (run % 97);

    private async IAsyncEnumerable<Item> Source(int key, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var run = Interlocked.Increment(ref _runs);
        _open[run] = key;
        try
        {
            for (var index = 0; index < Length(run); index++)
            {
                if ((run + index) % 3 == 0) await Task.Yield();
                cancellationToken.ThrowIfCancellationRequested();
                yield return new Item(key, run, index);
            }
        }
        finally
        {
            _open.TryRemove(run, out _);
        }
    }

    private readonly record struct Item(int Key, int Run, int Index);
}
