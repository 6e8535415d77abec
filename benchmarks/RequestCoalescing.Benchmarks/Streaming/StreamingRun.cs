using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using RequestCoalescing.Benchmarks.Quick;

namespace RequestCoalescing.Benchmarks.Streaming;

/// <summary>Measures the cost of an item for each reader, beside a channel for each reader, and the memory that stalled readers hold.</summary>
internal static class StreamingRun
{
    private const int Buffer = 1_024;

    public static async Task RunAsync(TextWriter output)
    {
        await output.WriteLineAsync("| readers, items | shared stream | a `Channel<T>` for each, unbounded | a `Channel<T>` for each, bounded | shared / unbounded | shared / bounded |");
        await output.WriteLineAsync("|---|---:|---:|---:|---:|---:|");
        foreach (var (readers, items) in new[] { (1, 1_000_000), (100, 20_000), (10_000, 200) }) await WriteAsync(output, readers, items);
        await output.WriteLineAsync();
        await output.WriteLineAsync("| 1,000,000 items of 1 KiB, one reader reads and 100 stall after their first | memory at the end |");
        await output.WriteLineAsync("|---|---:|");
        var stalled = await StalledAsync();
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"| shared stream, at most {Buffer:N0} items | {stalled:N1} MiB |"));
    }

    // The best of several rounds, one after the other.
    private static async Task WriteAsync(TextWriter output, int readers, int items)
    {
        Func<int, int, Task>[] ways = [SharedAsync, static (readers, items) => ChannelsAsync(readers, items, isBounded: false), static (readers, items) => ChannelsAsync(readers, items, isBounded: true)];
        var best = Enumerable.Repeat(new QuickResult(double.MaxValue, double.MaxValue), ways.Length).ToArray();
        for (var round = -2; round < 6; round++) // the first ones warm up
        {
            for (var way = 0; way < ways.Length; way++)
            {
                var start = TimeProvider.System.GetTimestamp();
                var allocated = GC.GetTotalAllocatedBytes();
                await ways[way](readers, items);
                var deliveries = (double)readers * items;
                var result = new QuickResult(TimeProvider.System.GetElapsedTime(start).TotalNanoseconds / deliveries, (GC.GetTotalAllocatedBytes() - allocated) / deliveries);
                if (round >= 0) best[way] = new(Math.Min(best[way].Nanoseconds, result.Nanoseconds), Math.Min(best[way].Bytes, result.Bytes));
            }
        }

        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"| {readers:N0}, {items:N0} | {Cell(best[0])} | {Cell(best[1])} | {Cell(best[2])} | {best[0].Nanoseconds / best[1].Nanoseconds:N2} | {best[0].Nanoseconds / best[2].Nanoseconds:N2} |"));
    }

    private static string Cell(QuickResult result) => string.Create(CultureInfo.InvariantCulture, $"{result.Nanoseconds:N0} ns, {result.Bytes:N0} B");

    private static async Task SharedAsync(int readers, int items)
    {
        var singleflight = new Singleflight(new SingleflightOptions { IsReported = false });
        var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new StreamOptions { MaxBufferedItems = Buffer, Backpressure = StreamBackpressure.SlowestReader };
        var reading = Enumerable.Range(0, readers).Select(_ => Task.Run(() => CountAsync(singleflight.ExecuteStreamAsync("key", flight => ItemsAsync(items, begin.Task, flight), options)))).ToArray();
        while (singleflight.GetStats().TotalSubscribers < readers) await Task.Yield();
        begin.SetResult();
        Check(await Task.WhenAll(reading), items);
    }

    private static async Task ChannelsAsync(int readers, int items, bool isBounded)
    {
        var channels = Enumerable.Range(0, readers).Select(_ => isBounded
            ? Channel.CreateBounded<object>(new BoundedChannelOptions(Buffer) { SingleReader = true, SingleWriter = true })
            : Channel.CreateUnbounded<object>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true })).ToArray();
        var reading = channels.Select(channel => Task.Run(() => CountAsync(channel.Reader.ReadAllAsync()))).ToArray();
        await foreach (var item in ItemsAsync(items, Task.CompletedTask, CancellationToken.None))
        {
            foreach (var channel in channels)
            {
                if (!channel.Writer.TryWrite(item)) await channel.Writer.WriteAsync(item);
            }
        }

        foreach (var channel in channels) channel.Writer.Complete();
        Check(await Task.WhenAll(reading), items);
    }

    private static async Task<double> StalledAsync()
    {
        var singleflight = new Singleflight(new SingleflightOptions { IsReported = false });
        var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = singleflight.ExecuteStreamAsync("key", flight => LargeItemsAsync(begin.Task, flight), new StreamOptions { MaxBufferedItems = Buffer });
        var stalled = Enumerable.Range(0, 100).Select(_ => stream.GetAsyncEnumerator()).ToArray();
        var firsts = stalled.Select(static reader => reader.MoveNextAsync().AsTask()).ToArray();
        var reading = Task.Run(async () =>
        {
            var (count, most) = (0, 0L);
            await foreach (var _ in stream)
            {
                if (++count % 100_000 == 0) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
            }

            return most;
        });
        while (singleflight.GetStats().TotalSubscribers < 101) await Task.Yield();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        begin.SetResult();
        await Task.WhenAll(firsts);
        var most = await reading;
        GC.KeepAlive(stalled);
        return (most - before) / (1024.0 * 1024);
    }

    private static void Check(int[] counts, int items)
    {
        if (counts.Any(count => count != items)) throw new InvalidOperationException("A reader has missed an item.");
    }

    private static async Task<int> CountAsync(IAsyncEnumerable<object> items)
    {
        var count = 0;
        await foreach (var _ in items) count++;
        return count;
    }

    private static async IAsyncEnumerable<object> ItemsAsync(int count, Task begin, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await begin.WaitAsync(cancellationToken);
        var item = new object();
        for (var i = 0; i < count; i++) yield return item;
    }

    private static async IAsyncEnumerable<byte[]> LargeItemsAsync(Task begin, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await begin.WaitAsync(cancellationToken);
        for (var i = 0; i < 1_000_000; i++) yield return new byte[1024];
    }
}
