using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Rollout;

public sealed class RolloutTests : RolloutFixture
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task While_switched_off_every_call_runs_alone_and_is_counted()
    {
        var singleflight = Create(rollout => rollout.Enabled = false);
        var calls = new[] { singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask(), singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask() };
        (await _backend.NextRunAsync()).Succeed(1);
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(3, (await Task.WhenAll(calls).SoonAsync()).Sum());
        var stats = singleflight.GetStats();
        Assert.Equal((2, 2, 2, 0, 0.0), (stats.Calls, stats.Flights, stats.Alone, stats.Coalesced, stats.HitRate));
    }

    [Fact]
    public async Task A_lone_run_keeps_the_laws_that_apply_to_it()
    {
        var clock = new FakeTimeProvider();
        var singleflight = Create(rollout => rollout.Enabled = false, options => options.TimeProvider = clock);
        using var aborted = new CancellationTokenSource();
        var leaving = singleflight.ExecuteAsync("a", _backend.RunStubbornAsync, aborted.Token).AsTask();
        var run = await _backend.NextRunAsync();
        await aborted.CancelAsync();
        await leaving.LeavesWithAsync(aborted.Token);
        await run.CancelledAsync();
        run.Succeed(1);

        var hung = singleflight.ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        (await _backend.NextRunAsync()).Succeed(1);
        await Patience.UntilAsync(() => singleflight.GetStats().AbandonedCount == 0, "the hung run has ended");
    }

    [Fact]
    public async Task No_limit_refuses_a_lone_run()
    {
        // The switch may be thrown under load. That must not cause errors.
        var singleflight = Create(rollout => rollout.Enabled = false, options => (options.MaxInFlight, options.MaxSubscribers) = (1, 1));
        var calls = Enumerable.Range(0, 10).Select(_ => singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask()).ToArray();
        for (var i = 0; i < 10; i++) (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(10, (await Task.WhenAll(calls).SoonAsync()).Sum());
    }

    [Fact]
    public async Task A_lone_run_is_current_until_its_key_is_forgotten()
    {
        var singleflight = Create(rollout => rollout.Enabled = false);
        var forgotten = singleflight.ExecuteAsync("a", _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var run = await _backend.NextRunAsync();
        Assert.True(run.Flight.IsCurrent);
        Assert.Equal(1, run.Flight.SubscriberCount);
        singleflight.Forget("a");
        Assert.False(run.Flight.IsCurrent);
        var cleared = singleflight.ExecuteAsync("a", _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var second = await _backend.NextRunAsync();
        Assert.True(second.Flight.IsCurrent);
        singleflight.Clear();
        Assert.False(second.Flight.IsCurrent);
        run.Succeed(1);
        second.Succeed(2);
        Assert.Equal(3, (await Task.WhenAll(forgotten, cleared).SoonAsync()).Sum());
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.25)]
    [InlineData(0.5)]
    public async Task A_fraction_of_the_keys_is_coalesced_for_all_of_their_calls(double fraction)
    {
        const int Keys = 2_000;
        var nodes = new[] { Create(rollout => rollout.Fraction = fraction), Create(rollout => rollout.Fraction = fraction) };
        var chosen = new List<HashSet<int>>();
        foreach (var node in nodes)
        {
            chosen.Add([]);
            for (var key = 0; key < Keys; key++)
            {
                var before = node.GetStats().Alone;
                for (var again = 0; again < 3; again++) await node.ExecuteAsync($"post:{key}", static _ => ValueTask.FromResult(0));
                var alone = node.GetStats().Alone - before;
                Assert.True(alone is 0 or 3, "A key was coalesced for one call and not for another.");
                if (alone == 0) chosen[^1].Add(key);
            }
        }

        Assert.Equal(chosen[0], chosen[1]);
        Assert.InRange((double)chosen[0].Count / Keys, fraction * 0.5, (fraction * 1.5) + 0.005);
    }

    [Fact]
    public async Task A_chosen_key_stays_chosen_as_the_fraction_grows()
    {
        var small = await ChosenAsync(0.1);
        Assert.NotEmpty(small);
        Assert.Superset(small, await ChosenAsync(0.5));

        async Task<HashSet<int>> ChosenAsync(double fraction)
        {
            var singleflight = Create(rollout => rollout.Fraction = fraction);
            var chosen = new HashSet<int>();
            for (var key = 0; key < 500; key++)
            {
                var before = singleflight.GetStats().Alone;
                await singleflight.ExecuteAsync($"post:{key}", static _ => ValueTask.FromResult(0));
                if (singleflight.GetStats().Alone == before) chosen.Add(key);
            }

            return chosen;
        }
    }

    [Fact]
    public async Task The_choice_of_keys_is_the_same_in_every_process_and_culture()
    {
        // These values must not change: nodes with another hash would choose other keys during a deployment.
        Assert.Equal("011001101110", await ChoiceAsync(Enumerable.Range(0, 12).Select(key => $"post:{key}")));

        var invariant = await ChoiceAsync(Enumerable.Range(0, 40).Select(key => (key + 0.5, new DateTime(2026, 1, 1).AddDays(key))));
        var culture = CultureInfo.CurrentCulture;
        try
        {
            var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            other.NumberFormat.NumberDecimalSeparator = ",";
            other.DateTimeFormat.ShortDatePattern = "dd.MM.yyyy";
            CultureInfo.CurrentCulture = other;
            Assert.StartsWith("(0,5, 01.01.2026", (0.5, new DateTime(2026, 1, 1)).ToString(), StringComparison.Ordinal);
            Assert.Equal(invariant, await ChoiceAsync(Enumerable.Range(0, 40).Select(key => (key + 0.5, new DateTime(2026, 1, 1).AddDays(key)))));
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }

        async Task<string> ChoiceAsync<TKey>(IEnumerable<TKey> keys)
            where TKey : notnull
        {
            var singleflight = CreateFor<TKey>(builder => builder.WithRollout(rollout => rollout.Fraction = 0.3));
            var choice = "";
            foreach (var key in keys)
            {
                var before = singleflight.GetStats().Alone;
                await singleflight.ExecuteAsync(key, static _ => ValueTask.FromResult(0));
                choice += singleflight.GetStats().Alone == before ? "1" : "0";
            }

            return choice;
        }
    }

    [Fact]
    public async Task Observed_calls_run_alone_and_count_the_calls_that_would_be_saved()
    {
        var singleflight = Create(rollout => rollout.Mode = RolloutMode.Observe);
        var calls = Enumerable.Range(0, 10).Select(call => singleflight.ExecuteAsync(call < 8 ? "a" : "b", _backend.RunAsync).AsTask()).ToArray();
        for (var i = 0; i < 10; i++) (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(calls).SoonAsync();
        await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(0)); // nothing is in flight any more

        var stats = singleflight.GetStats();
        Assert.Equal((11, 11, 11, 0), (stats.Calls, stats.Flights, stats.Alone, stats.Coalesced));
        Assert.Equal((11, 8), (stats.Observed, stats.WouldBeFollowers));
        Assert.Equal(8.0 / 11, stats.WouldBeReduction);
    }

    [Fact]
    public async Task The_observation_takes_Forget_into_account()
    {
        var singleflight = Create(rollout => rollout.Mode = RolloutMode.Observe);
        var first = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        singleflight.Forget("a");
        var second = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        for (var i = 0; i < 2; i++) (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(first, second).SoonAsync();
        Assert.Equal(0, singleflight.GetStats().WouldBeFollowers);
    }

    [Fact]
    public async Task An_observed_call_fails_with_its_own_error()
    {
        var singleflight = Create(rollout => rollout.Mode = RolloutMode.Observe);
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw new InvalidTimeZoneException()));
        Assert.Equal(1, singleflight.GetStats().Failed);
    }

    [Fact]
    public async Task The_observation_follows_a_changed_JoinWindow_and_skips_calls_that_are_already_cancelled()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:Rollout:Mode", "Observe")]).Build();
        var clock = new FakeTimeProvider();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleflight(options => options.TimeProvider = clock);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        var first = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        configuration["Singleflight:JoinWindow"] = "00:00:01";
        configuration.Reload();
        clock.Advance(TimeSpan.FromSeconds(5));
        var second = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await singleflight.ExecuteAsync("a", _backend.RunAsync, new CancellationToken(canceled: true)));
        for (var i = 0; i < 2; i++) (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(first, second).SoonAsync();
        Assert.Equal((2, 0), (singleflight.GetStats().Observed, singleflight.GetStats().WouldBeFollowers));
    }

    [Fact]
    public async Task Neither_the_kill_switch_nor_a_caller_waits_for_a_switch_that_hangs()
    {
        var hangs = new TaskCompletionSource<bool>();
        var enabled = true;
        var singleflight = CreateFor<string>(builder => builder
            .WithRolloutSwitch(_ => new Switch { Answer = () => new ValueTask<bool>(hangs.Task) })
            .WithRollout(rollout => rollout.Enabled = enabled));
        using var aborted = new CancellationTokenSource();
        var leaving = singleflight.ExecuteAsync("a", _backend.RunAsync, aborted.Token).AsTask();
        await aborted.CancelAsync();
        await leaving.LeavesWithAsync(aborted.Token);

        enabled = false;
        var off = CreateFor<string>(builder => builder
            .WithRolloutSwitch(_ => new Switch { Answer = () => new ValueTask<bool>(hangs.Task) })
            .WithRollout(rollout => rollout.Enabled = enabled));
        Assert.Equal(1, await off.ExecuteAsync("a", static _ => ValueTask.FromResult(1)).AsTask().SoonAsync());
    }

    [Fact]
    public async Task A_switch_decides_for_each_call_and_its_failure_leaves_coalescing_on()
    {
        var asked = new Switch();
        var singleflight = CreateFor<string>(builder => builder.WithRolloutSwitch(_ => asked));
        asked.Answer = () => ValueTask.FromResult(false);
        await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(0));
        Assert.Equal(1, singleflight.GetStats().Alone);

        asked.Answer = async () =>
        {
            await Task.Yield();
            return false;
        };
        await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(0));
        Assert.Equal(2, singleflight.GetStats().Alone);

        asked.Answer = () => throw new InvalidTimeZoneException();
        await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(0));
        asked.Answer = () => ValueTask.FromResult(true);
        await singleflight.ExecuteAsync("a", static _ => ValueTask.FromResult(0));
        Assert.Equal((4, 2), (singleflight.GetStats().Calls, singleflight.GetStats().Alone));
    }

    [Fact]
    public async Task While_switched_off_every_caller_of_a_stream_reads_a_run_of_its_own()
    {
        var backend = new StreamBackend<int>();
        var singleflight = Create(rollout => rollout.Enabled = false, options => options.StartOnThreadPool = true);
        await using var one = new StreamCaller<int>(singleflight.ExecuteStreamAsync("a", backend.Run));
        var first = one.NextAsync();
        (await backend.NextRunAsync()).Yield(1);
        Assert.Equal(1, await first);

        await using var two = new StreamCaller<int>(singleflight.ExecuteStreamAsync("a", backend.Run));
        var second = two.NextAsync();
        (await backend.NextRunAsync()).Yield(2);

        Assert.Equal(2, await second);
    }

    private ISingleflight<string> Create(Action<RolloutOptions> rollout, Action<SingleflightOptions>? configure = null) =>
        CreateFor<string>(builder => builder.WithRollout(rollout), configure);

    private sealed class Switch : IRolloutSwitch
    {
        public Func<ValueTask<bool>> Answer { get; set; } = () => ValueTask.FromResult(true);

        public ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken) => Answer();
    }
}
