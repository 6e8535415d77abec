using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Hosting;

namespace RequestCoalescing.Tests.Hedging;

/// <summary>A slow leader gets a second run beside it.</summary>
public sealed class HedgingTests : IAsyncDisposable
{
    private static readonly TimeSpan s_after = TimeSpan.FromMilliseconds(300);

    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder().AddInMemoryCollection().Build();
    private readonly FakeTimeProvider _clock = new();
    private readonly Backend<int> _leaders = new(), _followers = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;

    public HedgingTests()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(_configuration);
        services.AddSingleflight("weather", options => (options.TimeProvider, options.MaxDuration) = (_clock, TimeSpan.FromHours(12)))
            .WithHedging(static hedging => hedging.HedgeAfter = s_after)
            .WithHedging(); // a second call adds nothing
        _provider = services.BuildServiceProvider();
        _singleflight = _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync(_clock);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_first_success_lands_for_all_and_the_other_run_is_cancelled(bool secondIsFirst)
    {
        var leader = LeadAsync();
        var slow = await _leaders.NextRunAsync();
        var followers = new[] { FollowAsync(), FollowAsync() };
        _clock.Advance(s_after);
        var second = await _followers.NextRunAsync();

        var (winner, loser) = secondIsFirst ? (second, slow) : (slow, second);
        winner.Succeed(7);
        Assert.All(await Task.WhenAll([leader, .. followers]).SoonAsync(), result => Assert.Equal(7, result));
        await loser.CancelledAsync();
        Assert.False(winner.Token.IsCancellationRequested);
        Assert.Equal((1L, 1L, 2L), (_singleflight.GetStats().Flights, _singleflight.GetStats().Hedges, _singleflight.GetStats().Coalesced));
        Assert.Equal(1, _followers.Runs);
    }

    [Fact]
    public async Task A_flight_that_is_not_slow_has_one_run()
    {
        var leader = LeadAsync();
        var run = await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(s_after - TimeSpan.FromMilliseconds(1));
        run.Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
        _clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal((0, 0L), (_followers.Runs, _singleflight.GetStats().Hedges));
    }

    [Fact]
    public async Task A_slow_flight_without_a_follower_gets_its_second_run_when_one_joins()
    {
        var leader = LeadAsync();
        await _leaders.NextRunAsync();
        _clock.Advance(10 * s_after);
        var follower = FollowAsync();
        (await _followers.NextRunAsync()).Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task A_follower_that_has_left_lends_no_work()
    {
        var leader = LeadAsync();
        var slow = await _leaders.NextRunAsync();
        using var leaving = new CancellationTokenSource();
        var left = FollowAsync(leaving.Token);
        await leaving.CancelAsync();
        await left.ThrowsAsync<OperationCanceledException>();
        _clock.Advance(s_after);
        Assert.Equal(0, _followers.Runs);
        slow.Succeed(7);
        Assert.Equal(7, await leader.SoonAsync());
        Assert.Equal(0, _singleflight.GetStats().Hedges);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_that_fails_leaves_the_outcome_to_the_other_one(bool secondFails)
    {
        // Without RunContinuationsAsynchronously, and on a thread without a synchronization context, the end of a run is handled within the call that sets it.
        var (slow, second, hasSecond) = (new TaskCompletionSource<int>(), new TaskCompletionSource<int>(), new TaskCompletionSource());
        var leader = _singleflight.ExecuteAsync("key", _ => slow.Task).AsTask();
        var follower = _singleflight.ExecuteAsync("key", _ =>
        {
            hasSecond.SetResult();
            return second.Task;
        }).AsTask();
        _clock.Advance(s_after);
        await hasSecond.Task.SoonAsync();
        await Patience.UntilAsync(() => _singleflight.GetStats().Hedges == 1, "the second run goes on");

        var (failing, other) = secondFails ? (second, slow) : (slow, second);
        await Task.Run(() => failing.SetException(new InvalidOperationException()));
        Assert.Equal(0, _singleflight.GetStats().Failed);
        Assert.False(leader.IsCompleted || follower.IsCompleted);
        other.SetResult(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task If_both_runs_fail_all_get_the_error_of_the_leaders()
    {
        var leader = LeadAsync();
        var slow = await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(s_after);
        (await _followers.NextRunAsync()).Fail(new InvalidOperationException("second"));
        slow.Fail(new InvalidOperationException("first"));
        Assert.Equal("first", (await leader.ThrowsAsync<InvalidOperationException>()).Message);
        Assert.Equal("first", (await follower.ThrowsAsync<InvalidOperationException>()).Message);
    }

    [Fact]
    public async Task When_all_callers_have_left_both_runs_are_cancelled()
    {
        using var leaving = new CancellationTokenSource();
        var leader = LeadAsync(leaving.Token);
        var slow = await _leaders.NextRunAsync();
        var follower = FollowAsync(leaving.Token);
        _clock.Advance(s_after);
        var second = await _followers.NextRunAsync();
        await leaving.CancelAsync();
        await Task.WhenAll(slow.CancelledAsync(), second.CancelledAsync());
        await leader.ThrowsAsync<OperationCanceledException>();
        await follower.ThrowsAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task A_leader_and_a_lender_that_leave_do_not_end_the_flight_of_the_others()
    {
        using var leaving = new CancellationTokenSource();
        var leader = LeadAsync(leaving.Token);
        await _leaders.NextRunAsync();
        var (lender, other) = (FollowAsync(leaving.Token), FollowAsync());
        _clock.Advance(s_after);
        var second = await _followers.NextRunAsync();
        await leaving.CancelAsync();
        await leader.ThrowsAsync<OperationCanceledException>();
        await lender.ThrowsAsync<OperationCanceledException>();
        second.Succeed(7);
        Assert.Equal(7, await other.SoonAsync());
    }

    [Fact]
    public async Task A_second_run_knows_whether_its_flight_is_current()
    {
        var (wasCurrent, isCurrent) = (new TaskCompletionSource<bool>(), new TaskCompletionSource<bool>());
        var forgotten = new TaskCompletionSource();
        var leader = LeadAsync();
        await _leaders.NextRunAsync();
        var follower = _singleflight.ExecuteAsync("key", async (FlightContext flight) =>
        {
            wasCurrent.SetResult(flight.IsCurrent);
            await forgotten.Task;
            Assert.Equal(2, flight.SubscriberCount);
            isCurrent.SetResult(flight.IsCurrent);
            return 7;
        }).AsTask();
        _clock.Advance(s_after);
        Assert.True(await wasCurrent.Task.SoonAsync());
        _singleflight.Forget("key");
        forgotten.SetResult();
        Assert.False(await isCurrent.Task.SoonAsync());
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task A_leader_that_cancels_its_own_run_leaves_the_outcome_to_the_second_run()
    {
        using var leaving = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync("key", _ => _leaders.RunAsync(leaving.Token), leaving.Token).AsTask();
        await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(s_after);
        var second = await _followers.NextRunAsync();
        await leaving.CancelAsync();
        await leader.ThrowsAsync<OperationCanceledException>();
        second.Succeed(7);
        Assert.Equal(7, await follower.SoonAsync());
        Assert.Equal(0, _singleflight.GetStats().Elections);
    }

    [Theory]
    [InlineData("forgotten")]
    [InlineData("expired")]
    [InlineData("left by all")]
    public async Task A_slow_flight_that_is_not_current_takes_no_follower_of_the_next_one(string end)
    {
        using var leaving = new CancellationTokenSource();
        var old = _singleflight.ExecuteAsync("key", _leaders.RunStubbornAsync, leaving.Token).AsTask();
        var oldRun = await _leaders.NextRunAsync();
        _clock.Advance(s_after);
        if (end == "forgotten") _singleflight.Forget("key");
        else if (end == "expired") _clock.Advance(TimeSpan.FromHours(12));
        else await leaving.CancelAsync();
        if (end != "forgotten") Assert.NotNull(await Record.ExceptionAsync(() => old));

        var next = LeadAsync();
        await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(s_after);
        var second = await _followers.NextRunAsync();
        oldRun.Succeed(1);
        if (end == "forgotten") Assert.Equal(1, await old.SoonAsync());
        second.Succeed(7); // lands the flight that its caller has joined
        Assert.Equal((7, 7), (await next.SoonAsync(), await follower.SoonAsync()));
        Assert.Equal(1, _singleflight.GetStats().Hedges);
    }

    [Fact]
    public async Task A_callback_of_the_losing_run_harms_no_caller()
    {
        using var mayGo = new ManualResetEventSlim();
        var leader = _singleflight.ExecuteAsync("key", token =>
        {
            token.Register(() => mayGo.Wait(Patience.Limit));
            token.Register(static () => throw new InvalidDataException());
            return new TaskCompletionSource<int>().Task;
        }).AsTask();
        var follower = FollowAsync();
        _clock.Advance(s_after);
        (await _followers.NextRunAsync()).Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
        mayGo.Set();
    }

    [Fact]
    public Task A_losing_run_that_fails_after_the_landing_leaves_no_unobserved_exception() => Unobserved.AssertNoneAsync(
        async () =>
        {
            var leader = _singleflight.ExecuteAsync("key", _leaders.RunStubbornAsync).AsTask();
            var slow = await _leaders.NextRunAsync();
            var follower = FollowAsync();
            _clock.Advance(s_after);
            (await _followers.NextRunAsync()).Succeed(7);
            Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
            slow.Fail(new InvalidDataException("lost"));
        },
        static error => error.Message == "lost");

    [Fact]
    public async Task A_key_that_changes_while_its_call_waits_harms_no_caller()
    {
        var services = new ServiceCollection();
        services.AddSingleflight<ChangingKey>().WithHedging();
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight<ChangingKey>>();
        var key = new ChangingKey { Id = 1 };
        var leader = singleflight.ExecuteAsync(key, _leaders.RunAsync).AsTask();
        var run = await _leaders.NextRunAsync();
        var follower = singleflight.ExecuteAsync(key, _followers.RunAsync).AsTask();
        key.Id = 2;
        run.Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task Second_runs_are_limited_to_a_share_of_the_flights()
    {
        Reload("MaxShare", "0.001");
        for (var i = 0; i < 12; i++) await HedgeAsync(i < 10); // ten are saved up
        Reload("MaxShare", "0.5");
        await LandAsync();
        await LandAsync();
        Reload("MaxShare", "0");
        await HedgeAsync(isStarted: false);
        Reload("MaxShare", "0.001");
        await HedgeAsync(isStarted: true);
        await HedgeAsync(isStarted: false);
    }

    [Fact]
    public async Task A_reload_changes_when_a_flight_is_slow()
    {
        Reload("HedgeAfter", "00:00:10");
        var leader = LeadAsync();
        await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(0, _followers.Runs);
        _clock.Advance(TimeSpan.FromSeconds(1));
        (await _followers.NextRunAsync()).Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task Work_that_waits_for_its_own_flight_in_a_second_run_gets_a_deadlock_error()
    {
        var leader = LeadAsync();
        var slow = await _leaders.NextRunAsync();
        var error = new TaskCompletionSource<Exception?>();
        var follower = _singleflight.ExecuteAsync("key", async (FlightContext _) =>
        {
            error.SetResult(await Record.ExceptionAsync(() => FollowAsync()));
            return 1;
        }).AsTask();
        _clock.Advance(s_after);
        Assert.IsType<FlightDeadlockException>(await error.Task.SoonAsync());
        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal(1, await leader.SoonAsync());
        await slow.CancelledAsync();
    }

    [Fact]
    public async Task Callers_of_many_threads_get_the_outcome_of_their_flight_and_nothing_stays_behind()
    {
        Reload("MaxShare", "1");
        Reload("HedgeAfter", "00:00:00.001");
        using var stop = new CancellationTokenSource();
        var ticking = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(1));
                await Task.Yield();
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            for (var round = 0; round < 2_000; round++)
            {
                var key = $"{round % 3}";
                using var leaving = new CancellationTokenSource();
                var call = _singleflight.ExecuteAsync(key, async flight =>
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(4)), _clock, flight);
                    return key;
                }, round % 7 == 0 ? leaving.Token : default).AsTask();
                if (round % 7 == 0) await leaving.CancelAsync();
                if (await Record.ExceptionAsync(() => call) is { } error) Assert.True(error is OperationCanceledException && round % 7 == 0, error.ToString());
                else Assert.Equal(key, await call);
            }
        }))).SoonAsync();
        await stop.CancelAsync();
        await ticking;
        var stats = _singleflight.GetStats();
        Assert.Equal((0, 0L), (stats.InFlightCount, stats.TotalSubscribers));
        Assert.InRange(stats.Hedges, 1, stats.Flights);
    }

    private Task<int> LeadAsync(CancellationToken cancellationToken = default) => _singleflight.ExecuteAsync("key", _leaders.RunAsync, cancellationToken).AsTask();

    private Task<int> FollowAsync(CancellationToken cancellationToken = default) => _singleflight.ExecuteAsync("key", _followers.RunAsync, cancellationToken).AsTask();

    private async Task LandAsync()
    {
        var leader = LeadAsync();
        (await _leaders.NextRunAsync()).Succeed(7);
        await leader.SoonAsync();
    }

    private async Task HedgeAsync(bool isStarted)
    {
        var before = _singleflight.GetStats().Hedges;
        var leader = LeadAsync();
        var slow = await _leaders.NextRunAsync();
        var follower = FollowAsync();
        _clock.Advance(s_after);
        if (isStarted) await _followers.NextRunAsync();
        slow.Succeed(7);
        Assert.Equal((7, 7), (await leader.SoonAsync(), await follower.SoonAsync()));
        Assert.Equal(isStarted ? 1 : 0, _singleflight.GetStats().Hedges - before);
    }

    private sealed record ChangingKey
    {
        public int Id { get; set; }
    }

    private void Reload(string name, string value)
    {
        _configuration[$"Singleflight:weather:Hedging:{name}"] = value;
        _configuration.Reload();
    }
}
