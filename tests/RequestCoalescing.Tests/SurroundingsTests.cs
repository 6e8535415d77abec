using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>The engine with listeners, schedulers, comparers and clocks of the application.</summary>
public sealed class SurroundingsTests
{
    private const string Key = "post:12345";

    [Fact]
    public async Task A_leader_whose_token_fires_while_its_flight_starts_leaves_outside_the_gate()
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddSingleflight();
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var factory = provider.GetRequiredService<IMeterFactory>();
        var sawGateFree = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "singleflight.flight.duration" && instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
            },
        };

        // The listener waits for another thread, and that thread needs every gate.
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => sawGateFree.TrySetResult(Task.Run(() => singleflight.GetStats()).Wait(Patience.Limit / 3)));
        listener.Start();

        using var aborted = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = singleflight.ExecuteAsync(
            Key,
            _ =>
            {
                aborted.Cancel();
                return work.Task;
            },
            aborted.Token).AsTask();
        await leader.LeavesWithAsync(aborted.Token);
        Assert.True(await sawGateFree.Task.SoonAsync());
        work.SetResult(1);
    }

    [Fact]
    public async Task Work_does_not_resume_on_its_leaders_task_scheduler()
    {
        await using var singleflight = new Singleflight();
        var scheduler = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, 1).ExclusiveScheduler;
        var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var busy = new ManualResetEventSlim();
        var scheduled = Task.Factory.StartNew(
            () =>
            {
                var leader = singleflight.ExecuteAsync(Key, async _ =>
                {
                    Assert.Equal(TaskScheduler.Default, TaskScheduler.Current);
                    return await work.Task;
                }).AsTask();
                busy.Wait(Patience.Limit); // the scheduler has no free thread
                return leader;
            },
            CancellationToken.None,
            TaskCreationOptions.None,
            scheduler);
        await singleflight.UntilSubscribersAsync(1);
        var follower = singleflight.ExecuteAsync(Key, _ => -1).AsTask();
        work.SetResult(1);
        Assert.Equal(1, await follower.SoonAsync());
        busy.Set();
        Assert.Equal(1, await (await scheduled.SoonAsync()).SoonAsync());
    }

    [Fact]
    public async Task Computing_work_blocks_its_leader_unless_it_starts_on_the_thread_pool()
    {
        await using var singleflight = new Singleflight(new SingleflightOptions { StartOnThreadPool = true });
        using var aborted = new CancellationTokenSource();
        using var computed = new ManualResetEventSlim();
        var ambient = new AsyncLocal<string> { Value = "leader" };
        var leader = singleflight.ExecuteAsync(
            Key,
            _ =>
            {
                Assert.Equal("leader", ambient.Value);
                computed.Wait(Patience.Limit);
                return 1;
            },
            aborted.Token).AsTask();
        var follower = singleflight.ExecuteAsync(Key, _ => -1).AsTask();
        aborted.Cancel();
        await leader.LeavesWithAsync(aborted.Token);
        computed.Set();
        Assert.Equal(1, await follower.SoonAsync());
    }

    [Fact]
    public async Task A_loop_that_outlives_its_flight_does_not_count_as_work_and_keeps_no_key()
    {
        await using var singleflight = new Singleflight<object>();
        var tick = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task? loop = null;
        var key = await FlyAsync();
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return !key.IsAlive;
            },
            "the key is collected");

        // A drain admits only calls of running work.
        await singleflight.DrainAsync().SoonAsync();
        tick.SetResult();
        await loop!.ThrowsAsync<FlightRejectedException>();

        async Task<WeakReference> FlyAsync()
        {
            var key = new object();
            await singleflight.ExecuteAsync(key, _ =>
            {
                loop = LoopAsync();
                return 1;
            });
            return new WeakReference(key);
        }

        async Task LoopAsync()
        {
            await tick.Task;
            await singleflight.ExecuteAsync("next", _ => 1);
        }
    }

    [Fact]
    public async Task A_clock_that_is_set_back_delays_the_expiry_by_at_most_one_MaxDuration()
    {
        var clock = new SettableClock();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock, MaxDuration = TimeSpan.FromSeconds(30) });
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync(Key, backend.RunStubbornAsync).AsTask();
        var run = await backend.NextRunAsync();
        clock.Skew = TimeSpan.FromHours(-5);
        clock.Advance(TimeSpan.FromSeconds(30));
        clock.Advance(TimeSpan.FromSeconds(31));
        await call.ThrowsAsync<FlightTimeoutException>();
        run.Succeed(1);
    }

    [Fact]
    public async Task A_comparer_that_calls_an_engine_gets_an_error_and_affects_no_flight()
    {
        Singleflight<string>? singleflight = null;
        var comparer = new CallingComparer(() => singleflight!.ExecuteAsync(Key, _ => -1));
        await using var engine = singleflight = new Singleflight<string>(comparer: comparer);
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = singleflight.ExecuteAsync(Key, _ => end.Task).AsTask();
        comparer.IsCalling = true;
        Assert.Throws<InvalidOperationException>(() => { _ = singleflight.ExecuteAsync(Key, _ => end.Task); });
        comparer.IsCalling = false;
        var follower = singleflight.ExecuteAsync(Key, _ => end.Task).AsTask();
        Assert.Equal((1, 2L), (singleflight.GetStats().InFlightCount, singleflight.GetStats().TotalSubscribers));
        end.SetResult(1);
        Assert.Equal(2, (await Task.WhenAll(leader, follower).SoonAsync()).Sum());
    }

    [Fact]
    public async Task If_a_task_has_several_errors_every_subscriber_gets_the_first()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        var work = new TaskCompletionSource<int>();
        var calls = new[] { default, alive.Token, default, alive.Token }.Select(token => singleflight.ExecuteAsync(Key, _ => work.Task, token).AsTask()).ToArray();
        var first = new InvalidDataException("first");
        work.SetException([first, new InvalidDataException("second")]);
        var atOnce = singleflight.ExecuteAsync(Key, _ => work.Task).AsTask();
        foreach (var call in calls.Append(atOnce))
        {
            Assert.Same(first, await call.ThrowsAsync<InvalidDataException>());
            Assert.Same(first, Assert.Single(call.Exception!.InnerExceptions));
        }
    }

    [Fact]
    public void Making_the_text_of_a_key_does_not_change_the_culture()
    {
        // A thread whose culture has been set once no longer follows the process's default.
        var before = CultureInfo.DefaultThreadCurrentCulture;
        var (first, second) = ((CultureInfo)CultureInfo.InvariantCulture.Clone(), (CultureInfo)CultureInfo.InvariantCulture.Clone());
        try
        {
            Crowd.Run(1, _ =>
            {
                CultureInfo.DefaultThreadCurrentCulture = first;
                using var provider = new ServiceCollection().AddSingleflight<(string, double)>("pairs").Services.BuildServiceProvider();
                var singleflight = provider.GetRequiredKeyedService<ISingleflight<(string, double)>>("pairs");
                var call = singleflight.ExecuteAsync(("a", 1.5), _ => new TaskCompletionSource<int>().Task);
                Assert.NotEmpty(provider.GetServices<SingleflightInstance>().Single().GetFlights()[0].Key);
                CultureInfo.DefaultThreadCurrentCulture = second;
                Assert.Same(second, CultureInfo.CurrentCulture);
                Assert.False(call.IsCompleted);
            });
        }
        finally
        {
            CultureInfo.DefaultThreadCurrentCulture = before;
        }
    }

    private sealed class CallingComparer(Action call) : IEqualityComparer<string>
    {
        public bool IsCalling { get; set; }

        public bool Equals(string? x, string? y)
        {
            if (IsCalling) call();
            return string.Equals(x, y, StringComparison.Ordinal);
        }

        public int GetHashCode(string obj) => obj.GetHashCode(StringComparison.Ordinal);
    }
}
