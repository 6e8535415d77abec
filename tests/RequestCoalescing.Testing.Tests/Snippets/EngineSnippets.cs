using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Testing.Tests.Snippets;

/// <summary>The tests with the real engine that <c>docs/testing.md</c> shows.</summary>
public sealed class EngineSnippets
{
    // <snippet expires>
    [Fact]
    public async Task A_query_that_hangs_times_out()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { MaxDuration = TimeSpan.FromSeconds(5), TimeProvider = clock });
        var backend = new Backend<string>();            // a test ends its runs

        var call = singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        clock.Advance(TimeSpan.FromSeconds(5));

        await Assert.ThrowsAsync<FlightTimeoutException>(() => call);
        await run.CancelledAsync();                     // the work's token has fired
    }
    // </snippet>

    // <snippet window>
    [Fact]
    public async Task A_caller_that_comes_after_the_join_window_gets_a_fresh_result()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { JoinWindow = TimeSpan.FromSeconds(1), TimeProvider = clock });
        var backend = new Backend<string>();

        var early = singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask();
        var old = await backend.NextRunAsync();
        clock.Advance(TimeSpan.FromSeconds(1.1));
        var late = singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask();
        var fresh = await backend.NextRunAsync();

        old.Succeed("old");
        fresh.Succeed("fresh");
        Assert.Equal("old", await early);
        Assert.Equal("fresh", await late);
    }
    // </snippet>

    // <snippet count>
    [Fact]
    public async Task A_hundred_callers_share_one_run()
    {
        await using var singleflight = new Singleflight();
        var backend = new Backend<int>();

        var calls = Enumerable.Range(0, 100).Select(_ => Task.Run(() => singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask())).ToArray();
        await singleflight.UntilSubscribersAsync(100);  // until GetStats().TotalSubscribers is 100
        (await backend.NextRunAsync()).Succeed(7);

        Assert.All(await Task.WhenAll(calls), result => Assert.Equal(7, result));
        Assert.Equal(1, backend.Runs);
    }
    // </snippet>
}
