using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Single faults between a node and its server: lost, late or interrupted traffic. Leases are long, so that an expiring lease cannot hide a bug.</summary>
public sealed class FaultTests : IAsyncLifetime
{
    private const string Key = "post:12345";
    private const string LeaseKey = $"singleflight:{{{Key}}}:{Key}:lease";

    private readonly Backend<int> _backend = new();
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly Dictionary<RedisSingleflight, ConnectionMultiplexer> _connections = [];
    private RedisServer _server = null!;

    public ValueTask InitializeAsync()
    {
        _server = RedisServer.StartGarnet();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in Enumerable.Reverse(_owned)) await owned.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_caller_of_a_node_that_has_missed_the_landing_starts_a_new_run(bool succeeds)
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync(options => options.OutcomeRetention = TimeSpan.FromSeconds(2)); // the node polls before that time is over
        var leader = remote.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(node);
        proxy.Deafen();
        if (succeeds) first.Succeed(1);
        else first.Fail(new InvalidTimeZoneException("1"));
        await leader.ContinueWith(static _ => { }, TaskScheduler.Default).SoonAsync();

        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        Assert.False(before.IsCompleted, "The node has polled too early, so that this test shows nothing.");
        (await _backend.NextRunAsync()).Succeed(2);
        if (succeeds) Assert.Equal(1, await before.SoonAsync());
        else Assert.Equal("1", (await before.ThrowsAsync<RemoteFlightException>()).RemoteMessage);
        Assert.Equal(2, await after.SoonAsync());
        proxy.CatchUp();
    }

    [Fact]
    public async Task A_late_outcome_reaches_no_later_caller()
    {
        var (leading, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(200));
        var (other, _) = await NodeAsync();
        var leader = leading.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        proxy.Stall();
        first.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync()); // it waits no longer

        var after = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(other);
        proxy.Resume();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
    }

    [Fact]
    public async Task A_lease_that_is_granted_late_is_released()
    {
        var (late, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(200));
        var (other, _) = await NodeAsync();
        proxy.Stall();
        var alone = late.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        proxy.Resume();
        var next = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await next.SoonAsync());
        first.Succeed(1);
        Assert.Equal(1, await alone.SoonAsync());
    }

    [Fact]
    public async Task An_outcome_that_arrives_after_its_leader_was_cut_off_reaches_no_later_caller()
    {
        var (leading, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromSeconds(1));
        var (other, _) = await NodeAsync();
        var leader = leading.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        proxy.HoldCommands();
        first.Succeed(1);
        await proxy.UntilHeldAsync();
        proxy.CutNode();
        Assert.Equal(1, await leader.SoonAsync());
        var after = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(other);
        proxy.PassCommands();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
    }

    [Fact]
    public async Task A_lease_that_is_granted_after_the_connection_has_given_up_is_released()
    {
        var (late, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(200), connection: ",asyncTimeout=500");
        var (other, _) = await NodeAsync();
        proxy.HoldCommands();
        Assert.Equal(1, await late.ExecuteAsync(Key, static _ => ValueTask.FromResult(1)).AsTask().SoonAsync());
        await Assert.ThrowsAsync<RedisTimeoutException>(() => _connections[late].GetDatabase().PingAsync()); // the ping was sent later, so it times out later
        proxy.PassCommands();
        await _connections[late].GetDatabase().PingAsync();
        var next = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await next.SoonAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_run_that_throws_the_same_exception_object_fails_its_own_call(bool isOut)
    {
        var (node, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(100));
        var error = new InvalidTimeZoneException();
        var runs = 0;
        ValueTask<int> Call(string key) => node.ExecuteAsync<int>(key, _ =>
        {
            runs++;
            throw error;
        });

        for (var i = 0; i < 20; i++) await Call($"{i}").AsTask().ThrowsAsync<InvalidTimeZoneException>();
        if (isOut) proxy.Stall();
        for (var i = 0; i < 20; i++) await Call($"{i}").AsTask().ThrowsAsync<InvalidTimeZoneException>();
        Assert.Equal(40, runs);
        proxy.Resume();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Forget_applies_to_the_own_run_of_a_node_that_was_sent_no_outcome(bool succeeds)
    {
        var (leading, _) = await NodeAsync(options => options.MaxPayloadBytes = 0);
        var (node, proxy) = await NodeAsync();
        var leader = leading.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(node);
        first.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        var own = await _backend.NextRunAsync();
        proxy.Deafen();
        await leading.ForgetAsync(Key);
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        if (succeeds) own.Succeed(2);
        else own.Fail(new InvalidTimeZoneException());
        if (succeeds) Assert.Equal(2, await before.SoonAsync());
        else await before.ThrowsAsync<InvalidTimeZoneException>();
        (await _backend.NextRunAsync()).Succeed(3);
        Assert.Equal(3, await after.SoonAsync());
        proxy.CatchUp();
    }

    [Fact]
    public async Task A_caller_after_a_forget_that_its_leader_has_missed_gets_a_new_run_even_if_the_server_is_gone()
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(200));
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        proxy.Deafen();
        await remote.ForgetAsync(Key);
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        proxy.HoldCommands();
        first.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        proxy.PassCommands();
        proxy.CatchUp();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_after_a_forget_gets_a_new_run_even_if_the_server_has_lost_that_forget(bool isAskedForAgain)
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync();
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        proxy.Deafen();
        await remote.ForgetAsync(Key);
        await FlushAsync();
        if (isAskedForAgain) await remote.ExecuteAsync(Key, static _ => ValueTask.FromResult(0)); // this writes a new record, younger than the lease
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        first.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        proxy.CatchUp();
    }

    [Fact]
    public async Task A_lease_that_another_node_took_over_for_its_age_is_no_forget()
    {
        var (node, _) = await NodeAsync();
        var window = TimeSpan.FromMilliseconds(50);
        var (other, _) = await NodeAsync(window: window);
        var before = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var start = Stopwatch.GetTimestamp();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > 2 * window, "the window is over");
        var joined = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var newer = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await newer.SoonAsync());
        first.Succeed(1);
        Assert.Equal((1, 1), (await before.SoonAsync(), await joined.SoonAsync()));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_leader_publishes_even_if_the_circuit_of_its_node_has_opened()
    {
        var (node, proxy) = await NodeAsync(options => (options.CommandTimeout, options.OutageBreak) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)));
        var (other, _) = await NodeAsync();
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        proxy.Stall();
        for (var i = 0; i < 5; i++) await node.ExecuteAsync($"{i}", static _ => ValueTask.FromResult(0)); // the circuit opens
        proxy.Resume();
        await UntilWaitsAsync(node);
        var follower = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(other);
        run.Succeed(1);
        Assert.Equal((1, 1), (await leader.SoonAsync(), await follower.SoonAsync()));
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task An_elected_leader_leads_for_the_whole_cluster()
    {
        var (node, _) = await NodeAsync();
        for (var round = 0; round < 40; round++)
        {
            var key = $"{round}";
            using var aborted = new CancellationTokenSource();
            var leader = node.ExecuteAsync(key, _ => _backend.RunAsync(aborted.Token), aborted.Token).AsTask();
            await _backend.NextRunAsync();
            var other = node.ExecuteAsync(key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
            await aborted.CancelAsync();
            await leader.LeavesWithAsync(aborted.Token);
            var second = await _backend.NextRunAsync();
            Assert.True(second.Flight.IsCurrent);
            second.Succeed(2);
            Assert.Equal(2, await other.SoonAsync());
        }
    }

    [Fact]
    public async Task A_join_window_counts_from_the_start_of_the_run_and_not_of_the_wait()
    {
        var window = TimeSpan.FromSeconds(2);
        var (leading, _) = await NodeAsync(window: window);
        var (node, _) = await NodeAsync(window: window);
        var leader = leading.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var start = Stopwatch.GetTimestamp();
        var first = await _backend.NextRunAsync();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > window * 0.7, "most of the window is over");
        var within = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await Patience.UntilAsync(() => Stopwatch.GetElapsedTime(start) > window * 1.5, "all of the window is over");
        var past = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await past.SoonAsync());
        first.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.Equal(2, await within.SoonAsync());
    }

    [Fact]
    public async Task A_failed_forget_is_sent_again_without_a_call()
    {
        var (remote, _) = await NodeAsync();
        var (node, _) = await NodeAsync(options => options.OutageBreak = TimeSpan.FromMilliseconds(500));
        var (before, old) = await LeadAsync(remote);
        await FailForgetAsync(node, old);
        await HearsAsync(before, old);
    }

    [Fact]
    public async Task A_caller_after_a_lost_forget_gets_a_new_run()
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync();
        var (before, old) = await LeadAsync(remote);
        await LoseForgetAsync(node, proxy);
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        proxy.Resume();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        await HearsAsync(before, old);
    }

    [Fact]
    public async Task A_failed_forget_is_sent_again_before_the_next_call()
    {
        var (remote, _) = await NodeAsync();
        var (node, _) = await NodeAsync(options => options.OutageBreak = TimeSpan.FromDays(1)); // so that the node does not send it again by itself
        var (before, old) = await LeadAsync(remote);
        await FailForgetAsync(node, old);
        var after = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
    }

    [Fact]
    public async Task A_lost_forget_is_sent_when_the_connection_is_back()
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync();
        var (before, old) = await LeadAsync(remote);
        await LoseForgetAsync(node, proxy);
        proxy.Resume();
        await HearsAsync(before, old);
    }

    [Fact]
    public async Task A_forget_does_not_wait_for_the_circuit()
    {
        var (remote, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync(options => (options.CommandTimeout, options.OutageBreak) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)));
        proxy.Stall();
        for (var i = 0; i < 5; i++) await node.ExecuteAsync($"{i}", static _ => ValueTask.FromResult(0)); // the circuit opens
        proxy.Resume();

        var (before, old) = await LeadAsync(remote);
        await node.ForgetAsync(Key).SoonAsync();
        await HearsAsync(before, old);
    }

    [Fact]
    public async Task A_forget_that_is_awaited_fails_after_the_command_timeout()
    {
        var (node, proxy) = await NodeAsync(options => options.CommandTimeout = TimeSpan.FromMilliseconds(200));
        proxy.HoldCommands();
        Assert.IsType<TimeoutException>(await node.ForgetAsync(Key).ThrowsAsync<TimeoutException>()); // and not the connection's own timeout, which takes seconds
        proxy.PassCommands();
    }

    [Fact]
    public async Task The_circuit_closes_when_the_connection_is_back()
    {
        var (other, _) = await NodeAsync();
        var (node, proxy) = await NodeAsync(options => (options.CommandTimeout, options.OutageBreak) = (TimeSpan.FromMilliseconds(500), TimeSpan.FromDays(1)));
        proxy.Stall();
        for (var i = 0; i < 5; i++) await node.ExecuteAsync($"{i}", static _ => ValueTask.FromResult(0)); // the circuit opens
        proxy.Cut();
        proxy.Resume();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; ; i++)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience.Limit, "The node does not use Redis again.");
            await node.ExecuteAsync($"again {i}", static _ => ValueTask.FromResult(0));
            if (await _connections[other].GetDatabase().KeyExistsAsync($"singleflight:{{again {i}}}:again {i}:last")) return;
        }
    }

    [Fact]
    public async Task A_failure_after_the_last_caller_has_left_raises_no_unobserved_task_event()
    {
        // Such an error may come from any test, because no test leaves a command unobserved itself.
        await Unobserved.AssertNoneAsync(FailAsync, static error =>
            error.ToString() is var message && (message.Contains("timed out in the backlog", StringComparison.Ordinal) || message.Contains("Connection is being disposed", StringComparison.Ordinal)));

        async Task FailAsync()
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=200,syncTimeout=500,asyncTimeout=500");
            await using (var node = new RedisSingleflight(connection, null, Options(options => options.CommandTimeout = TimeSpan.FromMilliseconds(20))))
            {
                await node.ExecuteAsync(Key, static _ => ValueTask.FromResult(0)); // the subscription fails later
                node.Forget(Key);
            }

            var later = RedisChannel.Literal(Guid.NewGuid().ToString());
            await Assert.ThrowsAnyAsync<RedisException>(() => connection.GetSubscriber().SubscribeAsync(later, static (_, _) => { })); // it times out after the earlier commands
        }
    }

    [Fact]
    public async Task A_forget_that_arrives_late_does_not_affect_later_flights()
    {
        var (node, proxy) = await NodeAsync();
        var (other, _) = await NodeAsync();
        proxy.Deafen();
        await other.ForgetAsync(Key);
        var call = node.ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var run = await _backend.NextRunAsync();
        var second = node.ExecuteAsync("another", _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var another = await _backend.NextRunAsync();
        await other.ForgetAsync("another");
        Assert.True(another.Flight.IsCurrent); // because it receives no messages
        proxy.CatchUp();
        await Patience.UntilAsync(() => !another.Flight.IsCurrent, "the node has received the second forget, and therefore the first");
        Assert.True(run.Flight.IsCurrent);
        var joins = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        run.Succeed(1);
        another.Succeed(2);
        Assert.Equal((1, 1, 2), (await call.SoonAsync(), await joins.SoonAsync(), await second.SoonAsync()));
    }

    [Fact]
    public async Task A_command_that_the_server_refuses_for_one_key_does_not_affect_other_keys()
    {
        var (node, _) = await NodeAsync();
        var (other, _) = await NodeAsync();
        await _connections[node].GetDatabase().StringSetAsync("singleflight:{odd}:odd:last", "no number");
        for (var i = 0; i < 10; i++) await node.ExecuteAsync("odd", static _ => ValueTask.FromResult(0));

        var leader = other.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var follower = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await UntilWaitsAsync(node);
        run.Succeed(1);
        Assert.Equal((1, 1), (await leader.SoonAsync(), await follower.SoonAsync()));
    }

    [Fact]
    public async Task A_node_that_has_subscribed_twice_ends_both_subscriptions()
    {
        var (first, proxy) = await NodeAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{proxy.Port},abortConnect=false,connectRetry=10");
        _owned.Add(connection);
        var channels = () => connection.GetServers()[0].SubscriptionChannels(RedisChannel.Pattern("singleflight:node:*")).Length;
        var before = channels();
        await using (var node = new RedisSingleflight(connection, null, Options(options => options.CommandTimeout = TimeSpan.FromMilliseconds(100))))
        {
            proxy.Stall();
            await node.ExecuteAsync(Key, static _ => ValueTask.FromResult(0));
            proxy.Cut();
            proxy.Resume();
            await Patience.UntilAsync(() => connection.IsConnected, "the connection is back");
            await node.ExecuteAsync(Key, static _ => ValueTask.FromResult(0));
        }

        await Patience.UntilAsync(
            () =>
            {
                first.ExecuteAsync(Key, static _ => ValueTask.FromResult(0)).AsTask().GetAwaiter().GetResult(); // each flight tries to subscribe again
                return channels() == before;
            },
            "the first node has subscribed again, and nothing of the second one is left");
    }

    [Fact]
    public async Task Callers_that_came_between_a_forget_that_was_not_heard_and_the_next_heartbeat_start_a_new_run()
    {
        var clock = new FakeTimeProvider();
        var (leading, proxy) = await NodeAsync(options => (options.LeaseDuration, options.TimeProvider) = (TimeSpan.FromSeconds(3), clock));
        var (other, _) = await NodeAsync();
        var before = leading.ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        var old = await _backend.NextRunAsync();
        clock.Advance(TimeSpan.FromMilliseconds(1));
        proxy.Deafen();
        await other.ForgetAsync(Key);
        var first = Join(); // the first caller without a token joins in another way than those after it
        var second = Join();
        clock.Advance(TimeSpan.FromSeconds(0.8)); // the next heartbeat is due
        await Patience.UntilAsync(() => !old.Flight.IsCurrent, "the heartbeat has been refused");

        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
        var fresh = await _backend.NextRunAsync();
        await leading.UntilSubscribersAsync(2);
        fresh.Succeed(2);
        Assert.Equal((2, 2), (await first.SoonAsync(), await second.SoonAsync()));
        proxy.CatchUp();

        Task<int> Join() => leading.ExecuteAsync(Key, _backend.RunAsync).AsTask();
    }

    [Fact]
    public async Task Callers_after_a_forget_do_not_get_the_old_error_that_flights_of_several_keys_share()
    {
        var (leading, proxy) = await NodeAsync();
        var (other, _) = await NodeAsync();
        var dependency = new Singleflight();
        var flights = Enumerable.Range(0, 10).Select(i => leading.ExecuteAsync($"{Key}:{i}", _ => dependency.ExecuteAsync("shared", _backend.RunStubbornAsync)).AsTask()).ToArray();
        var run = await _backend.NextRunAsync();
        await dependency.UntilSubscribersAsync(10);
        proxy.Deafen();
        await other.ForgetAsync($"{Key}:0");
        var after = leading.ExecuteAsync($"{Key}:0", static _ => ValueTask.FromResult(2)).AsTask();
        run.Fail(new InvalidTimeZoneException("old"));
        foreach (var flight in flights) await flight.ThrowsAsync<InvalidTimeZoneException>();
        Assert.Equal(2, await after.SoonAsync());
        proxy.CatchUp();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_clock_that_fails_once_after_the_work_loses_neither_a_result_nor_a_lease(int reading)
    {
        var clock = new ThrowingClock();
        var (node, _) = await NodeAsync(options => options.TimeProvider = clock);
        var caller = node.ExecuteAsync(Key, WorkAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await caller.SoonAsync());
        var database = _connections[node].GetDatabase();
        await Patience.UntilAsync(() => !database.KeyExists(LeaseKey), "the lease is given up");

        async ValueTask<int> WorkAsync(CancellationToken flight)
        {
            var result = await _backend.RunAsync(flight);
            clock.FailAt(reading);
            return result;
        }
    }

    [Fact]
    public async Task A_clock_that_fails_on_the_thread_of_the_heartbeat_only_delays_it()
    {
        var clock = new ThrowingClock();
        var (node, _) = await NodeAsync(options => (options.TimeProvider, options.LeaseDuration) = (clock, TimeSpan.FromSeconds(4)));
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        clock.FailsHeartbeat = true;
        await Patience.UntilAsync(() => clock.HeartbeatFailures > 0, "the clock has failed");
        var left = LeaseLeft();
        clock.FailsHeartbeat = false;
        await Patience.UntilAsync(() => LeaseLeft() > left, "the lease has been extended");
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());

        TimeSpan? LeaseLeft() => _connections[node].GetDatabase().KeyTimeToLive(LeaseKey);
    }

    [Fact]
    public async Task A_synchronization_context_that_accepts_no_work_loses_only_its_own_caller()
    {
        var (node, _) = await NodeAsync();
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var others = new List<Task<int>> { leader };
        for (var i = 0; i < 3; i++) // the first caller without a token joins in another way than those after it
        {
            await new DeadContext().AwaitUnderAsync(() => node.ExecuteAsync(Key, _backend.RunAsync));
            others.Add(node.ExecuteAsync(Key, _backend.RunAsync).AsTask());
        }

        run.Succeed(1);
        Assert.All(await Task.WhenAll(others).SoonAsync(), result => Assert.Equal(1, result));
    }

    [Fact]
    public async Task A_synchronization_context_that_blocks_holds_up_only_its_own_caller()
    {
        using var context = new BlockingContext();
        var (node, _) = await NodeAsync();
        var leader = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var others = new List<Task<int>> { leader };
        for (var i = 0; i < 3; i++)
        {
            await context.AwaitUnderAsync(() => node.ExecuteAsync(Key, _backend.RunAsync));
            others.Add(node.ExecuteAsync(Key, _backend.RunAsync).AsTask());
        }

        run.Succeed(1);
        Assert.All(await Task.WhenAll(others).SoonAsync(), result => Assert.Equal(1, result));
    }

    [Fact]
    public async Task Failing_logs_and_meters_do_not_affect_a_flight()
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddProvider(new FailingLogs()));
        services.AddMetrics();
        services.AddSingleflight("posts").UseRedis("127.0.0.1:1,connectTimeout=200", options => options.CommandTimeout = TimeSpan.FromMilliseconds(100));
        await using var provider = services.BuildServiceProvider();
        var heard = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == provider.GetRequiredService<IMeterFactory>()) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => throw new InvalidOperationException($"This listener fails at measurement {heard++}."));
        listener.Start();
        Assert.Equal(1, await provider.GetRequiredKeyedService<ISingleflight>("posts").ExecuteAsync(Key, static _ => ValueTask.FromResult(1)));
        Assert.True(heard > 0);
    }

    private async Task<(Task<int> Call, BackendRun<int> Run)> LeadAsync(RedisSingleflight node)
    {
        var call = node.ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask();
        return (call, await _backend.NextRunAsync());
    }

    private static async Task HearsAsync(Task<int> call, BackendRun<int> run)
    {
        await Patience.UntilAsync(() => !run.Flight.IsCurrent, "the old leader has received the forget");
        run.Succeed(1);
        Assert.Equal(1, await call.SoonAsync());
    }

    private static async Task LoseForgetAsync(RedisSingleflight node, FaultyProxy proxy)
    {
        proxy.Stall();
        var forget = node.ForgetAsync(Key);
        proxy.Cut();
        await forget.ThrowsAsync<RedisException>();
    }

    // The server refuses the forget, and the connection stays up.
    private async Task FailForgetAsync(RedisSingleflight node, BackendRun<int> run)
    {
        var last = new RedisKey($"singleflight:{{{Key}}}:{Key}:last");
        await _connections[node].GetDatabase().StringSetAsync(last, "no number");
        await node.ForgetAsync(Key).ThrowsAsync<RedisException>();
        Assert.True(run.Flight.IsCurrent);
        await _connections[node].GetDatabase().KeyDeleteAsync(last);
    }

    private async Task FlushAsync()
    {
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{_server.ConnectionString},allowAdmin=true");
        await admin.GetServers()[0].FlushAllDatabasesAsync();
    }

    private static RedisSingleflightOptions Options(Action<RedisSingleflightOptions>? configure)
    {
        var options = new RedisSingleflightOptions { LeaseDuration = TimeSpan.FromMinutes(5), OutcomeRetention = TimeSpan.FromMinutes(5), CommandTimeout = TimeSpan.FromSeconds(10) };
        configure?.Invoke(options);
        return options;
    }

    private async Task<(RedisSingleflight Node, FaultyProxy Proxy)> NodeAsync(Action<RedisSingleflightOptions>? configure = null, string connection = "", TimeSpan? window = null)
    {
        var proxy = new FaultyProxy(_server.Port);
        var multiplexer = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{proxy.Port},abortConnect=false,connectRetry=10,connectTimeout=2000{connection}");
        var options = new SingleflightOptions { MaxDuration = TimeSpan.FromMinutes(2) };
        if (window is not null) options.JoinWindow = window.Value;
        var node = new RedisSingleflight(multiplexer, options, Options(configure));
        _owned.AddRange([proxy, multiplexer, node]);
        await node.ExecuteAsync($"warm-up {proxy.Port}", static _ => ValueTask.FromResult(0));
        _connections.Add(node, multiplexer);
        return (node, proxy);
    }

    // The node sends its command within the call. The answer to a later ping therefore comes after the answer to that command.
    private async Task UntilWaitsAsync(RedisSingleflight node) => await _connections[node].GetDatabase().PingAsync();

    private sealed class BlockingContext : SynchronizationContext, IDisposable
    {
        private readonly ManualResetEventSlim _end = new();

        public override void Post(SendOrPostCallback d, object? state) => _end.Wait();

        public void Dispose() => _end.Set();
    }
}
