namespace RequestCoalescing.Tests.Telemetry;

/// <summary>The last ten minutes of an instance, as the live page shows them.</summary>
public sealed class HistoryTests : TelemetryFixture
{
    [Fact]
    public async Task Each_second_has_its_own_counts()
    {
        using var history = Start();
        await Singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        var hung = Singleflight.ExecuteAsync("b", Backend.RunAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(1));
        (await Backend.NextRunAsync()).Succeed(1);
        await hung.SoonAsync();
        Clock.Advance(TimeSpan.FromSeconds(1));
        Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(
            [(2L, 1, 2L, 1L), (3L, 0, 0L, 1L), (4L, 0, 0L, 0L)],
            history.GetSamples(Name).Select(sample => (sample.Number, sample.Stats.InFlightCount, sample.Stats.Calls, sample.Stats.Succeeded)));
        Assert.All(history.GetSamples(Name), sample => Assert.Equal(TimeSpan.FromSeconds(1), sample.Elapsed));
        Assert.Equal([4L], history.GetSamples(Name, after: 3).Select(sample => sample.Number));
        Assert.Empty(history.GetSamples("unknown"));
    }

    [Fact]
    public async Task Latencies_of_flights_and_of_callers_are_measured_while_it_runs()
    {
        await FlyAsync(TimeSpan.FromSeconds(9)); // before the history runs
        using var history = Start();
        for (var i = 0; i < 98; i++) await FlyAsync(TimeSpan.FromMilliseconds(10));
        for (var i = 0; i < 2; i++) await FlyAsync(TimeSpan.FromMilliseconds(400));
        Clock.Advance(TimeSpan.FromSeconds(1));

        var (flights, waits) = history.GetLatencies(Name);
        foreach (var latency in new[] { flights!, waits! })
        {
            Assert.Equal(100, latency.Count);
            Assert.InRange(latency.P50.TotalMilliseconds, 8.5, 11.5);
            Assert.InRange(latency.P95.TotalMilliseconds, 8.5, 11.5);
            Assert.InRange(latency.P99.TotalMilliseconds, 340, 460);
        }

        Assert.Equal(100, history.GetSamples(Name).Sum(sample => sample.Flights?.Count ?? 0));
        Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal((null, null), history.GetLatencies(Name)); // the latencies cover the last five minutes
    }

    [Fact]
    public async Task Under_load_a_share_of_the_calls_is_measured_and_counts_for_all()
    {
        using var history = Start();
        await CallAsync(); // in the first second each call is measured
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(10_000, history.GetLatencies(Name).Waits!.Count);
        await CallAsync();
        Clock.Advance(TimeSpan.FromSeconds(1));
        var estimated = history.GetLatencies(Name).Waits!.Count - 10_000;
        Assert.InRange(estimated, 4_000, 16_000);

        async Task CallAsync()
        {
            for (var i = 0; i < 10_000; i++) await Singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        }
    }

    [Fact]
    public void Ten_minutes_are_kept()
    {
        using var history = Start();
        Clock.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(SingleflightHistory.Kept, history.GetSamples(Name).Count);
        Assert.Equal(661, history.GetSamples(Name)[^1].Number);
    }

    [Fact]
    public void A_history_samples_only_between_its_start_and_its_disposal()
    {
        var history = new SingleflightHistory(() => [Instance], Clock);
        Clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Empty(history.GetSamples(Name));
        history.Start();
        history.Start(); // a second start has no effect
        Clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(3, history.GetSamples(Name).Count);
        history.Dispose();
        Clock.Advance(TimeSpan.FromSeconds(3));
        history.Start();
        Assert.Equal(3, history.GetSamples(Name).Count);
    }

    [Fact]
    public async Task An_engine_that_is_created_by_hand_is_sampled_while_it_lives_and_gets_no_timer()
    {
        var name = $"test-{Guid.NewGuid():N}";
        var clock = new TimerCountingTimeProvider();
        var engine = new Singleflight<long>(new SingleflightOptions { Name = name, TimeProvider = clock });
        using var history = new SingleflightHistory(SingleflightInstance.GetUnregistered, Clock);
        history.Start();
        await engine.ExecuteAsync(1, static _ => ValueTask.FromResult(1));
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, Assert.Single(history.GetSamples(name)).Stats.Flights);
        Assert.Equal((null, null), history.GetLatencies(name));
        Assert.Equal(0, clock.SetTimers);
        await engine.DisposeAsync();
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(history.GetSamples(name));
    }

    [Fact]
    public void A_failing_instance_does_not_end_the_history()
    {
        var fails = true;
        using var history = new SingleflightHistory(() => fails ? throw new InvalidOperationException() : [Instance], Clock);
        history.Start();
        Clock.Advance(TimeSpan.FromSeconds(1));
        fails = false;
        Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Single(history.GetSamples(Name));
    }

    private SingleflightHistory Start()
    {
        var history = new SingleflightHistory(() => [Instance], Clock);
        history.Start();
        return history;
    }

    private async Task FlyAsync(TimeSpan duration)
    {
        var call = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        var run = await Backend.NextRunAsync();
        Clock.Advance(duration);
        run.Succeed(1);
        await call.SoonAsync();
    }
}
