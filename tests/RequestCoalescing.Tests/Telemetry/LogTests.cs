using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class LogTests() : TelemetryFixture(configure: options => options.SubscriberWarningThreshold = 2)
{
    [Fact]
    public async Task The_start_and_the_landing_are_logged_at_debug_level()
    {
        await Singleflight.ExecuteAsync("the-key", static _ => ValueTask.FromResult(1));
        var (started, landed) = (Assert.Single(Logged(1)), Assert.Single(Logged(2)));
        Assert.Equal((LogLevel.Debug, LogLevel.Debug), (started.Level, landed.Level));
        Assert.Matches($"^{Name}: a flight for key #[0-9a-f]{{16}} has started$", started.Message);
        Assert.Matches($"^{Name}: the flight for key #[0-9a-f]{{16}} has ended with success after 0 ms and had 1 subscribers$", landed.Message);
        Assert.Equal(started.GetStructuredStateValue("Key"), landed.GetStructuredStateValue("Key"));
    }

    [Fact]
    public async Task A_failure_is_logged_as_a_warning_with_its_exception()
    {
        var failure = new InvalidTimeZoneException();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Singleflight.ExecuteAsync("the-key", ValueTask<int> (_) => throw failure));
        var logged = Assert.Single(Logged(3));
        Assert.Equal((LogLevel.Warning, failure), (logged.Level, logged.Exception));
        var kept = Assert.Single(Instance.GetRecentFailures());
        Assert.Equal(("failure", "System.InvalidTimeZoneException", logged.GetStructuredStateValue("Key")), (kept.Outcome, kept.ErrorType, kept.Key));
    }

    [Fact]
    public async Task A_deadlock_is_logged_without_the_keys()
    {
        await Assert.ThrowsAsync<FlightDeadlockException>(async () => await Singleflight.ExecuteAsync("the-key", async _ =>
        {
            await Task.Yield();
            return await Singleflight.ExecuteAsync("the-key", static _ => ValueTask.FromResult(1));
        }));
        var logged = Assert.Single(Logged(3));
        Assert.Null(logged.Exception);
        Assert.Contains(nameof(FlightDeadlockException), logged.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Logs.GetSnapshot(), entry => entry.Message.Contains("the-key", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_deadlock_inside_other_exceptions_is_logged_without_the_keys(int place)
    {
        Exception[] inner = [new InvalidTimeZoneException(), new InvalidTimeZoneException()];
        inner[place] = new InvalidOperationException("outer", new AggregateException(new InvalidTimeZoneException(), new FlightDeadlockException(["the-key", "the-key"])));
        await Assert.ThrowsAsync<AggregateException>(async () => await Singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw new AggregateException(inner)));
        var logged = Assert.Single(Logged(3));
        Assert.Null(logged.Exception);
        Assert.Contains(nameof(AggregateException), logged.Message, StringComparison.Ordinal);

        var harmless = new AggregateException(new InvalidTimeZoneException(), new TimeoutException());
        await Assert.ThrowsAsync<AggregateException>(async () => await Singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw harmless));
        Assert.Same(harmless, Logged(3)[1].Exception);
    }

    [Fact]
    public async Task A_leaders_own_cancellation_is_no_failure_but_any_other_cancelled_end_is()
    {
        using var aborted = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Singleflight.ExecuteAsync("a", async ValueTask<int> (_) =>
        {
            await aborted.CancelAsync();
            aborted.Token.ThrowIfCancellationRequested();
            return 1;
        }, aborted.Token));
        Assert.Equal((0, 1), (Singleflight.GetStats().Failed, Singleflight.GetStats().Cancelled));
        Assert.Empty(Instance.GetRecentFailures());

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Singleflight.ExecuteAsync("a", static _ => ValueTask.FromCanceled<int>(new CancellationToken(canceled: true))));
        Assert.Equal("System.Threading.Tasks.TaskCanceledException", Assert.Single(Instance.GetRecentFailures()).ErrorType);
    }

    [Fact]
    public async Task Too_many_subscribers_are_logged_once_for_each_flight()
    {
        for (var flight = 0; flight < 2; flight++)
        {
            using var aborted = new CancellationTokenSource();
            var staying = Enumerable.Range(0, 2).Select(_ => Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask()).ToArray();
            for (var again = 0; again < 3; again++) // over the threshold, back, and over it again
            {
                using var leaving = new CancellationTokenSource();
                var left = Singleflight.ExecuteAsync("a", Backend.RunAsync, leaving.Token).AsTask();
                await leaving.CancelAsync();
                await left.LeavesWithAsync(leaving.Token);
            }

            (await Backend.NextRunAsync()).Succeed(1);
            await Task.WhenAll(staying).SoonAsync();
            var logged = Logged(4);
            Assert.Equal(flight + 1, logged.Count);
            Assert.Equal((LogLevel.Warning, "3", "2"), (logged[^1].Level, logged[^1].GetStructuredStateValue("Subscribers"), logged[^1].GetStructuredStateValue("Threshold")));
        }
    }

    [Fact]
    public async Task A_timeout_and_its_abandoned_work_are_logged()
    {
        var hung = Singleflight.ExecuteAsync("the-key", Backend.RunStubbornAsync).AsTask();
        var run = await Backend.NextRunAsync();
        Clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        await Patience.UntilAsync(() => Logged(6).Count == 1, "the abandoned work is logged");
        Assert.Equal((LogLevel.Warning, LogLevel.Warning), (Assert.Single(Logged(5)).Level, Logged(6)[0].Level));
        Assert.Equal("timeout", Assert.Single(Instance.GetRecentFailures()).Outcome);

        Clock.Advance(TimeSpan.FromSeconds(5));
        run.Succeed(1);
        await Patience.UntilAsync(() => Logged(7).Count == 1, "its end is logged");
        Assert.Equal("35000", Logged(7)[0].GetStructuredStateValue("ElapsedMilliseconds"));
    }

    [Fact]
    public async Task Running_flights_are_listed_with_redacted_keys_the_oldest_first()
    {
        var first = Singleflight.ExecuteAsync("first", Backend.RunAsync).AsTask();
        Clock.Advance(TimeSpan.FromSeconds(1));
        var second = new[] { Singleflight.ExecuteAsync("second", Backend.RunAsync).AsTask(), Singleflight.ExecuteAsync("second", Backend.RunAsync).AsTask() };
        Singleflight.Forget("first");
        Assert.Equal([(1.0, 1, false), (0.0, 2, true)], Instance.GetFlights().Select(flight => (flight.Age.TotalSeconds, flight.Subscribers, flight.IsCurrent)));
        Assert.All(Instance.GetFlights(), flight => Assert.Matches("^#[0-9a-f]{16}$", flight.Key));
        Assert.Single(Instance.GetFlights(1));
        Assert.Empty(Instance.GetFlights(0));
        Assert.Throws<ArgumentOutOfRangeException>("max", () => Instance.GetFlights(-1));
        for (var i = 0; i < 2; i++) (await Backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll([first, .. second]).SoonAsync();
        Assert.Empty(Instance.GetFlights());
    }

    [Fact]
    public async Task Only_the_latest_failures_are_kept()
    {
        for (var i = 0; i < 30; i++)
        {
            Clock.Advance(TimeSpan.FromSeconds(1));
            await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw new InvalidTimeZoneException()));
        }

        var kept = Instance.GetRecentFailures();
        Assert.Equal(20, kept.Count);
        Assert.Equal(Clock.GetUtcNow(), kept[0].At);
        Assert.Equal(TimeSpan.FromSeconds(19), kept[0].At - kept[^1].At);
    }

    [Theory]
    [InlineData(false, int.MaxValue)]
    [InlineData(true, int.MaxValue)]
    [InlineData(false, 1_000_000)] // a limit is checked under the gate
    [InlineData(true, 1_000_000)]
    public async Task A_large_flight_is_noticed_while_its_callers_join_another_one_in_turn(bool withTokens, int maxSubscribers)
    {
        var logs = new FakeLogCollector();
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(logs)));
        services.AddSingleflight(options => (options.MaxDuration, options.MaxSubscribers) = (TimeSpan.FromMinutes(5), maxSubscribers)).WithTelemetry(static options => options.SubscriberWarningThreshold = 1_000);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var end = new TaskCompletionSource<int>();
        using var token = new CancellationTokenSource();
        Call("hot");
        for (var i = 0; i < 20_000; i++)
        {
            Call("hot");
            if (i % 500 == 0)
            {
                singleflight.Forget("small");
                Call("small");
            }

            Call("small");
        }

        var logged = logs.GetSnapshot(); // while the flight is in the air
        end.SetResult(1);
        Assert.Equal(4, Assert.Single(logged, static entry => entry.Level == LogLevel.Warning).Id.Id);

        void Call(string key) => _ = singleflight.ExecuteAsync(key, end, static (end, _) => end.Task, withTokens ? token.Token : default);
    }
}
