using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>The engine with clocks, comparers, switches and callers that misbehave.</summary>
public sealed class HostileTests
{
    private const string Key = "post:12345";

    [Fact]
    public async Task A_flight_expires_even_if_the_clock_is_set_back_and_younger_flights_start()
    {
        var clock = new SettableClock();
        await using var singleflight = new Singleflight<int>(new SingleflightOptions { TimeProvider = clock, MaxDuration = TimeSpan.FromSeconds(30) }, new OneHash<int>());
        var backend = new Backend<int>();
        var old = singleflight.ExecuteAsync(1, backend.RunStubbornAsync).AsTask();
        clock.Skew = TimeSpan.FromHours(-5);
        var young = singleflight.ExecuteAsync(2, backend.RunStubbornAsync).AsTask();
        for (var i = 0; i < 3; i++) clock.Advance(TimeSpan.FromSeconds(31));
        var timedOut = singleflight.GetStats().TimedOut;
        (await backend.NextRunAsync()).Succeed(1);
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(2, timedOut);
        await old.ThrowsAsync<FlightTimeoutException>();
        await young.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task A_comparer_that_calls_the_engine_causes_no_second_current_flight()
    {
        Singleflight<int>? singleflight = null;
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var inner = new List<Task<int>>();
        var comparer = new OneHash<int>();
        await using var engine = singleflight = new Singleflight<int>(comparer: comparer);
        var first = singleflight.ExecuteAsync(1, _ => end.Task).AsTask();
        comparer.Comparing = () =>
        {
            comparer.Comparing = null;
            inner.Add(singleflight.ExecuteAsync(2, _ => end.Task).AsTask());
        };
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(2, _ => end.Task); });
        Assert.Empty(inner);
        Assert.Equal(1, singleflight.GetStats().InFlightCount);
        end.SetResult(1);
        Assert.Equal(1, await first.SoonAsync());
    }

    [Theory]
    [InlineData("Clear")]
    [InlineData("GetStats")]
    [InlineData("DisposeAsync")]
    [InlineData("DrainAsync")]
    public async Task A_comparer_that_calls_any_member_of_the_engine_gets_an_error(string called)
    {
        Singleflight<string>? singleflight = null;
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var comparer = new OneHash<string>();
        await using var engine = singleflight = new Singleflight<string>(comparer: comparer);
        var first = singleflight.ExecuteAsync("1", _ => end.Task).AsTask();
        comparer.Comparing = () =>
        {
            comparer.Comparing = null;
            switch (called)
            {
                case "Clear":
                    singleflight.Clear();
                    break;
                case "GetStats":
                    singleflight.GetStats();
                    break;
                case "DisposeAsync":
                    ThrowIfFailed(singleflight.DisposeAsync().AsTask());
                    break;
                default:
                    ThrowIfFailed(singleflight.DrainAsync());
                    break;
            }
        };
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync("1", _ => end.Task); });
        var second = singleflight.ExecuteAsync("1", _ => end.Task).AsTask();
        Assert.Equal((1, 2L), (singleflight.GetStats().InFlightCount, singleflight.GetStats().TotalSubscribers));
        end.SetResult(1);
        await Task.WhenAll(first, second).SoonAsync();

        static void ThrowIfFailed(Task task)
        {
            if (task.IsFaulted) task.GetAwaiter().GetResult();
        }
    }

    [Fact]
    public async Task A_key_that_is_released_while_it_is_logged_is_not_logged_as_another_key()
    {
        var logs = new FakeLogCollector();
        var clock = new FakeTimeProvider();
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new FakeLoggerProvider(logs)));
        services.AddSingleflight<(string, int)>("pairs", options => options.TimeProvider = clock).WithTelemetry(telemetry => telemetry.KeyRedaction = KeyRedaction.Plain);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredKeyedService<ISingleflight<(string, int)>>("pairs");
        var factory = provider.GetRequiredService<IMeterFactory>();
        var end = new TaskCompletionSource<int>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "singleflight.flight.duration" && instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => end.TrySetResult(1)); // the work ends while its expiry is being measured
        listener.Start();

        var call = singleflight.ExecuteAsync(("a", 1), _ => end.Task).AsTask();
        clock.Advance(TimeSpan.FromSeconds(30));
        await call.ThrowsAsync<FlightTimeoutException>();
        Assert.DoesNotContain(logs.GetSnapshot(), entry => entry.Message.Contains("(, 0)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_call_behind_a_slow_switch_that_is_refused_and_dropped_raises_no_unobserved_task_event()
    {
        var slow = new HeldSwitch();
        await Unobserved.AssertNoneAsync(DropAsync, inner => inner is ObjectDisposedException);

        async Task DropAsync()
        {
            var services = new ServiceCollection();
            services.AddSingleflight("a").WithRolloutSwitch(_ => slow);
            var provider = services.BuildServiceProvider();
            Drop(provider.GetRequiredKeyedService<ISingleflight>("a"));
            await provider.DisposeAsync();
            slow.Answer.SetResult(true);
        }

        static void Drop(ISingleflight singleflight) => GC.KeepAlive(singleflight.ExecuteAsync(Key, _ => new ValueTask<int>(1)).IsCompleted);
    }

    [Fact]
    public async Task A_switch_that_fails_after_its_caller_has_left_raises_no_unobserved_task_event()
    {
        await Unobserved.AssertNoneAsync(LeaveAsync, inner => inner is InvalidTimeZoneException);

        async Task LeaveAsync()
        {
            var slow = new HeldSwitch();
            var services = new ServiceCollection();
            services.AddSingleflight("a").WithRolloutSwitch(_ => slow);
            await using var provider = services.BuildServiceProvider();
            using var aborted = new CancellationTokenSource();
            var call = provider.GetRequiredKeyedService<ISingleflight>("a").ExecuteAsync(Key, _ => new ValueTask<int>(1), aborted.Token).AsTask();
            aborted.Cancel();
            await call.LeavesWithAsync(aborted.Token);
            slow.Answer.SetException(new InvalidTimeZoneException());
        }
    }

    [Fact]
    public async Task Synchronous_work_must_not_return_a_task()
    {
        await using var singleflight = new Singleflight();
        var end = new TaskCompletionSource<int>();
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(Key, _ => end.Task.ConfigureAwait(false)); });
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(Key, _ => ((Task)end.Task).ConfigureAwait(false)); });
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(Key, _ => new ValueTask<int>(end.Task).ConfigureAwait(false)); });
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(Key, _ => new ValueTask(end.Task).ConfigureAwait(false)); });
        Assert.Throws<InvalidOperationException>(() => { _ = CallAsync(_ => end.Task); });
        Assert.Equal(0, singleflight.GetStats().Calls);

        ValueTask<T> CallAsync<T>(Func<CancellationToken, T> work) => singleflight.ExecuteAsync(Key, work);
    }

    [Fact]
    public async Task A_drain_ends_after_twice_MaxDuration_even_if_leaders_are_elected()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock, MaxDuration = TimeSpan.FromSeconds(30) });
        var tokens = Enumerable.Range(0, 4).Select(_ => new CancellationTokenSource()).ToArray();
        var started = 0;
        var calls = new List<Task<int>>();
        for (var i = 0; i < 4; i++)
        {
            var token = tokens[i].Token;
            calls.Add(singleflight.ExecuteAsync(
                Key,
                async _ =>
                {
                    Interlocked.Increment(ref started);
                    await Task.Delay(Timeout.Infinite, token);
                    return 1;
                },
                token).AsTask());
            await singleflight.UntilSubscribersAsync(i + 1);
        }

        var draining = singleflight.DrainAsync();
        clock.Advance(TimeSpan.FromSeconds(29));
        tokens[0].Cancel();
        await calls[0].LeavesWithAsync(tokens[0].Token);
        await Patience.UntilAsync(() => Volatile.Read(ref started) == 2, "the next leader's work has started");

        // The drain is older than MaxDuration now, and admits no more flights.
        clock.Advance(TimeSpan.FromSeconds(29));
        tokens[1].Cancel();
        await calls[1].LeavesWithAsync(tokens[1].Token);
        foreach (var call in calls.Skip(2)) await call.ThrowsAsync<OperationCanceledException>();
        await draining.SoonAsync();
        Assert.Equal(2, Volatile.Read(ref started));
        foreach (var each in tokens) each.Dispose();
    }

    [Fact]
    public async Task A_wait_is_measured_until_the_landing_and_not_until_the_result_is_read()
    {
        var clock = new FakeTimeProvider();
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddSingleflight(options => options.TimeProvider = clock);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var factory = provider.GetRequiredService<IMeterFactory>();
        var waited = -1d;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "singleflight.caller.wait" && instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, measured, _, _) => waited = measured);
        listener.Start();

        var end = new TaskCompletionSource<int>();
        var call = singleflight.ExecuteAsync(Key, _ => end.Task);
        end.SetResult(1);
        await Patience.UntilAsync(() => Volatile.Read(ref waited) >= 0, "the wait has been measured");
        clock.Advance(TimeSpan.FromSeconds(10)); // the caller reads its result only later
        await call;
        Assert.Equal(0, waited);
    }

    [Fact]
    public async Task A_drain_of_one_engine_does_not_end_the_drain_of_all()
    {
        Singleflight<string>? users = null;
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new Microsoft.Extensions.Hosting.HostApplicationBuilderSettings());
        builder.Services.AddSingleflight("users").Decorate<string>((_, inner) => users = (Singleflight<string>)inner);
        builder.Services.AddSingleflight("posts");
        using var host = builder.Build();
        await host.StartAsync();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var posts = host.Services.GetRequiredKeyedService<ISingleflight>("posts");
        var call = posts.ExecuteAsync(Key, async _ =>
        {
            await goOn.Task;
            return await users!.ExecuteAsync(Key, _ => 1);
        }).AsTask();
        var stopping = host.StopAsync();
        await Patience.UntilAsync(() => users!.ExecuteAsync("probe", _ => 1).IsFaulted, "the drain has begun");
        await users!.DrainAsync().SoonAsync();
        goOn.SetResult();
        Assert.Equal(1, await call.SoonAsync());
        await stopping.SoonAsync();
    }

    private sealed class HeldSwitch : IRolloutSwitch
    {
        public TaskCompletionSource<bool> Answer { get; } = new();

        public ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken) => new(Answer.Task);
    }

    /// <summary>Gives all keys the same hash, so that each is compared with each.</summary>
    private sealed class OneHash<TKey> : IEqualityComparer<TKey>
    {
        public Action? Comparing { get; set; }

        public bool Equals(TKey? x, TKey? y)
        {
            Comparing?.Invoke();
            return EqualityComparer<TKey>.Default.Equals(x, y);
        }

        public int GetHashCode(TKey obj) => 7;
    }
}
