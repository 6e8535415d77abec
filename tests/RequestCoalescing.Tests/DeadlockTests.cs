namespace RequestCoalescing.Tests;

/// <summary>The graph of waits: its cost, and the deadlocks that it finds.</summary>
public sealed class DeadlockTests
{
    [Fact]
    public async Task A_hub_with_many_waits_in_and_out_is_set_up_without_walks()
    {
        // If each wait walked over all the others, this would take minutes.
        const int Count = 20_000;
        await using var singleflight = new Singleflight<int>();
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Task.Run(async () =>
        {
            var waiters = Enumerable.Range(1, Count).Select(key => singleflight.ExecuteAsync(key, async _ =>
                await singleflight.ExecuteAsync(0, async _ =>
                {
                    var waits = Enumerable.Range(Count + 1, Count).Select(leaf => singleflight.ExecuteAsync(leaf, _ => end.Task).AsTask());
                    return (await Task.WhenAll(waits)).Sum();
                })).AsTask()).ToArray();
            await singleflight.UntilSubscribersAsync(3 * Count);
            end.SetResult(1);
            Assert.All(await Task.WhenAll(waiters), got => Assert.Equal(Count, got));
        }).SoonAsync();
        Assert.Equal(0, singleflight.GetStats().UncheckedWaits);
    }

    [Fact]
    public async Task Work_that_waits_for_many_flights_lands()
    {
        const int Count = 200_000;
        await using var singleflight = new Singleflight<int>();
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Task.Run(async () =>
        {
            var call = singleflight.ExecuteAsync(0, async _ =>
                (await Task.WhenAll(Enumerable.Range(1, Count).Select(key => singleflight.ExecuteAsync(key, _ => end.Task).AsTask()))).Sum()).AsTask();
            await singleflight.UntilSubscribersAsync(1 + Count);
            end.SetResult(1);
            Assert.Equal(Count, await call);
        }).SoonAsync();
    }

    [Fact]
    public async Task A_wait_in_the_middle_of_a_large_graph_is_checked_from_its_small_end()
    {
        // Another work waits for each of these, so that their waits for the hub must be checked. The hub waits for many flights.
        const int Count = 5_000;
        await using var singleflight = new Singleflight<int>();
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var hub = singleflight.ExecuteAsync(0, async _ =>
            (await Task.WhenAll(Enumerable.Range(1, Count).Select(leaf => singleflight.ExecuteAsync(leaf, _ => end.Task).AsTask()))).Sum()).AsTask();
        var chains = Enumerable.Range(1, Count).Select(number => singleflight.ExecuteAsync(-number, async _ =>
            await singleflight.ExecuteAsync(-Count - number, async _ =>
            {
                await Task.Yield(); // so that the outer work is waiting by then
                return await singleflight.ExecuteAsync(0, _ => -1);
            })).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(1 + (4 * Count));
        end.SetResult(1);
        Assert.Equal(Count, await hub.SoonAsync());
        Assert.All(await Task.WhenAll(chains).SoonAsync(), got => Assert.Equal(Count, got));
        Assert.Equal(0, singleflight.GetStats().UncheckedWaits);
    }

    [Fact]
    public async Task A_deadlock_through_a_long_chain_is_found()
    {
        const int Length = 500;
        await using var singleflight = new Singleflight<int>();
        var flies = new CountdownEvent(Length);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var chain = Enumerable.Range(0, Length).Select(number => singleflight.ExecuteAsync(number, async _ =>
        {
            flies.Signal();
            await goOn.Task;
            return await singleflight.ExecuteAsync((number + 1) % Length, _ => 0);
        }).AsTask()).ToArray();
        Assert.True(flies.Wait(Patience.Limit));
        goOn.SetResult();

        foreach (var call in chain)
        {
            var deadlock = await call.ThrowsAsync<FlightDeadlockException>();
            Assert.Equal(Length + 1, deadlock.Keys.Count);
            Assert.Equal(deadlock.Keys[0], deadlock.Keys[^1]);
            for (var i = 0; i < Length; i++) Assert.Equal(((int)deadlock.Keys[i] + 1) % Length, deadlock.Keys[i + 1]);
        }
    }

    [Fact]
    public async Task A_check_that_takes_too_long_is_given_up_and_counted_and_MaxDuration_ends_the_deadlock()
    {
        // A cycle of two hubs: both ends of the walk meet thousands of waits before they meet each other.
        const int Count = 5_000;
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var singleflight = new Singleflight<int>(new SingleflightOptions { TimeProvider = clock });
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var close = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var start = singleflight.ExecuteAsync(0, async _ =>
        {
            await close.Task;
            return await singleflight.ExecuteAsync(1, _ => 0);
        }).AsTask();
        var others = Enumerable.Range(10 + Count, Count).Select(number => singleflight.ExecuteAsync(number, async _ =>
            await singleflight.ExecuteAsync(0, _ => 0)).AsTask()).ToArray();
        var hub = singleflight.ExecuteAsync(1, async _ =>
        {
            var leaves = Enumerable.Range(10, Count).Select(leaf => singleflight.ExecuteAsync(leaf, _ => end.Task).AsTask());
            return (await Task.WhenAll([.. leaves, singleflight.ExecuteAsync(0, _ => 0).AsTask()])).Sum();
        }).AsTask();
        await singleflight.UntilSubscribersAsync(2 + Count + 1 + (2 * Count));

        close.SetResult();
        await singleflight.UntilSubscribersAsync(2 + Count + 1 + (2 * Count) + 1);
        await Patience.UntilAsync(() => singleflight.GetStats().UncheckedWaits == 1, "the walk is given up");
        clock.Advance(TimeSpan.FromSeconds(30));
        await start.ThrowsAsync<FlightTimeoutException>();
        end.SetResult(1);
        await hub.ThrowsAsync<FlightTimeoutException>();
        foreach (var other in others) await other.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task If_two_waits_close_a_deadlock_at_the_same_time_one_is_refused()
    {
        await using var singleflight = new Singleflight<int>();
        for (var round = 0; round < 300; round++)
        {
            var refused = 0;
            using var allFly = new Barrier(3);
            var calls = new Task<int>[3];
            Crowd.Run(3, me => calls[me] = singleflight.ExecuteAsync(me, async _ =>
            {
                Assert.True(allFly.SignalAndWait(Patience.Limit));
                try
                {
                    return await singleflight.ExecuteAsync((me + 1) % 3, _ => -1);
                }
                catch (FlightDeadlockException)
                {
                    Interlocked.Increment(ref refused);
                    return 1;
                }
            }).AsTask());
            Assert.All(await Task.WhenAll(calls).SoonAsync(), got => Assert.Equal(1, got));
            Assert.Equal(1, refused);
        }
    }

    [Fact]
    public async Task Work_that_waited_for_a_flight_waits_for_its_elected_successor()
    {
        await using var singleflight = new Singleflight();
        using var aborted = new CancellationTokenSource();
        var cancelled = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var leader = singleflight.ExecuteAsync("a", _ => cancelled.Task, aborted.Token).AsTask();

        // The work of b waits for a. When it is elected to lead a, its work for a waits for b.
        var b = singleflight.ExecuteAsync("b", async _ =>
            await singleflight.ExecuteAsync("a", async _ =>
            {
                await Task.Yield();
                return await singleflight.ExecuteAsync("b", _ => 0);
            })).AsTask();
        await singleflight.UntilSubscribersAsync(3);
        aborted.Cancel();
        await leader.LeavesWithAsync(aborted.Token);
        cancelled.SetCanceled(aborted.Token);

        var deadlock = await b.ThrowsAsync<FlightDeadlockException>();
        Assert.Equal(["a", "b", "a"], deadlock.Keys);
    }
}
