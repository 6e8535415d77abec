namespace RequestCoalescing.Redis.Tests;

/// <content>Callers with a token of their own that join their node's flight. One that may have come after the end of the flight calls again.</content>
public abstract partial class ClusterTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Callers_with_a_token_that_may_have_come_after_a_forget_share_another_run(bool fails)
    {
        using var stays = new CancellationTokenSource();
        var (old, unsure) = await ForgottenFlightAsync(10, _ => stays.Token);
        if (fails) old.Fail(new InvalidTimeZoneException("too old"));
        else old.Succeed(1);

        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(10);
        Assert.DoesNotContain(unsure, call => call.IsCompleted);
        fresh.Succeed(2);
        Assert.All(await Task.WhenAll(unsure).SoonAsync(), result => Assert.Equal(2, result));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task A_caller_that_waits_for_another_run_can_leave_it()
    {
        using var leaves = new CancellationTokenSource();
        using var stays = new CancellationTokenSource();
        var (old, unsure) = await ForgottenFlightAsync(2, caller => caller == 0 ? leaves.Token : stays.Token);
        old.Succeed(1);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(2);
        await leaves.CancelAsync();
        await unsure[0].LeavesWithAsync(leaves.Token);
        await _nodes[0].UntilSubscribersAsync(1);
        fresh.Succeed(2);
        Assert.Equal(2, await unsure[1].SoonAsync());
    }

    [Fact]
    public async Task A_caller_that_waits_for_another_run_gets_its_error()
    {
        using var stays = new CancellationTokenSource();
        var (old, unsure) = await ForgottenFlightAsync(2, _ => stays.Token);
        old.Succeed(1);
        var fresh = await _backend.NextRunAsync();
        await _nodes[0].UntilSubscribersAsync(2);
        fresh.Fail(new InvalidTimeZoneException("fresh"));
        foreach (var call in unsure) Assert.Equal("fresh", (await call.ThrowsAsync<InvalidTimeZoneException>()).Message);
    }

    [Fact]
    public async Task A_caller_that_would_call_again_while_its_node_is_disposed_gets_an_error()
    {
        using var stays = new CancellationTokenSource();
        var (old, unsure) = await ForgottenFlightAsync(2, _ => stays.Token);
        var disposal = _nodes[0].DisposeAsync().AsTask();
        old.Succeed(1);
        foreach (var call in unsure) await call.ThrowsAsync<ObjectDisposedException>();
        await disposal.SoonAsync();
    }

    // The first node leads. Callers join it, and another node forgets the key before the next heartbeat.
    private async Task<(BackendRun<int> Run, Task<int>[] Unsure)> ForgottenFlightAsync(int callers, Func<int, CancellationToken> tokenOf)
    {
        var nodes = await NodesAsync(2, options => options.LeaseDuration = TimeSpan.FromMinutes(5));
        _ = nodes[0].ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunInFlightAsync(flight)).AsTask().ContinueWith(static before => before.Exception, TaskScheduler.Default);
        var run = await _backend.NextRunAsync();
        var unsure = Enumerable.Range(0, callers).Select(caller => nodes[0].ExecuteAsync(Key, _backend.RunAsync, tokenOf(caller)).AsTask()).ToArray();
        await nodes[1].ForgetAsync(Key);
        await Patience.UntilAsync(() => !run.Flight.IsCurrent, "the leader has received the forget");
        return (run, unsure);
    }
}
