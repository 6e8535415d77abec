using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>An engine with a clock of the test, and a source that the test controls.</summary>
public abstract class StreamFixture
{
    protected StreamFixture() => Flights = new Singleflight(new SingleflightOptions { TimeProvider = Clock });

    protected FakeTimeProvider Clock { get; } = new();

    protected StreamBackend<int> Backend { get; } = new();

    protected Singleflight Flights { get; }

    protected StreamCaller<int> Read(StreamOptions? options = null, CancellationToken token = default) =>
        new(Flights.ExecuteStreamAsync("key", Backend.Run, options ?? new StreamOptions(), token));

    /// <summary>Lets two readers read 100 items of a source that waits for the slower one, until the buffer is full because that one has read one item only.</summary>
    /// <param name="ofSlow">The token of the slower reader.</param>
    protected async Task<(StreamCaller<int> Slow, Task<List<int>> RestOfFast, StreamRun<int> Run)> FillAsync(CancellationToken ofSlow = default)
    {
        var options = new StreamOptions { MaxBufferedItems = 8, Backpressure = StreamBackpressure.SlowestReader };
        var (fast, slow) = (Read(options), Read(options, ofSlow));
        var (item, first) = (fast.NextAsync(), slow.NextAsync());
        await Flights.UntilSubscribersAsync(2);
        var run = await Backend.NextRunAsync();
        run.Yield(Enumerable.Range(0, 100));
        run.End();
        Assert.Equal((0, 0), (await item, await first));
        var rest = fast.RestAsync();
        await Patience.UntilAsync(() => run.Taken >= 8, "the buffer is full");
        return (slow, rest, run);
    }
}
