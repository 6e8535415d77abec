namespace RequestCoalescing.Contract;

// 10. No deadlock in silence.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law10_Work_that_waits_for_its_own_flight_is_told()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1));
        }).AsTask();

        Assert.Equal(["a", "a"], (await call.ThrowsAsync<FlightDeadlockException>()).Keys);
    }

    [Fact]
    public async Task Law10_Work_that_hands_back_the_wait_for_its_own_flight_is_told()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", _ => singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1))).AsTask();

        await call.ThrowsAsync<FlightDeadlockException>();
    }

    [Fact]
    public async Task Law10_A_circle_through_nested_flights_is_told_with_its_keys()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", async _ =>
            await singleflight.ExecuteAsync("b", async _ =>
                await singleflight.ExecuteAsync("c", async _ =>
                {
                    await Task.Yield(); // so that each waits for the next by now
                    return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1));
                }))).AsTask();

        var keys = (await call.ThrowsAsync<FlightDeadlockException>()).Keys;
        Assert.Equal(4, keys.Count);
        Assert.Equal(keys[0], keys[^1]);
        Assert.Equal(["a", "b", "c"], keys.Skip(1).Order());
    }

    [Fact]
    public async Task Law10_A_circle_of_flights_that_different_callers_started_is_told()
    {
        var singleflight = Create();
        for (var round = 0; round < 100; round++)
        {
            using var bothFly = new Barrier(2);
            var calls = new Task<int>[2];
            Crowd.Run(2, me => calls[me] = singleflight.ExecuteAsync($"{me}", async _ =>
            {
                Assert.True(bothFly.SignalAndWait(Patience.Limit));
                return await singleflight.ExecuteAsync($"{1 - me}", _ => ValueTask.FromResult(0));
            }).AsTask());

            // One of the two waits closes the circle and is refused; its flight fails with that, and so does the other.
            foreach (var call in calls) await call.ThrowsAsync<FlightDeadlockException>();
        }
    }

    [Fact]
    public async Task Law10_A_deadlock_is_no_ones_but_the_waiters_error()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            try
            {
                return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1));
            }
            catch (FlightDeadlockException)
            {
                return 2;
            }
        }).AsTask();

        Assert.Equal(2, await call.SoonAsync());
    }

    [Fact]
    public async Task Law10_The_same_key_one_flight_after_the_other_is_harmless()
    {
        var singleflight = Create();
        Assert.Equal(3, await singleflight.ExecuteAsync("outer", async _ =>
        {
            var first = await singleflight.ExecuteAsync("inner", async _ =>
            {
                await Task.Yield();
                return 1;
            });
            return first + await singleflight.ExecuteAsync("inner", async _ =>
            {
                await Task.Yield();
                return 2;
            });
        }).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Law10_Work_that_starts_another_flight_and_does_not_wait_for_it_is_harmless()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var started = new TaskCompletionSource<ValueTask<int>>();

        var outer = singleflight.ExecuteAsync("outer", async flight =>
        {
            // The inner flight waits for the outer one, which does not wait for it.
            started.SetResult(singleflight.ExecuteAsync("inner", async _ => 1 + await singleflight.ExecuteAsync("outer", backend.RunAsync)));
            return await backend.RunAsync(flight);
        }).AsTask();
        var inner = await (await started.Task).AsOutsiderAsync(() => singleflight.UntilSubscribersAsync(3));

        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await outer.SoonAsync());
        Assert.Equal(2, await inner.SoonAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law10_Work_that_forgets_its_own_key_and_asks_for_it_anew_is_harmless()
    {
        var singleflight = Create();
        var depth = 0;

        async ValueTask<int> WorkAsync(CancellationToken cancellationToken)
        {
            await Task.Yield();
            if (++depth == 3) return depth;
            Assert.True(singleflight.Forget("a"));
            return await singleflight.ExecuteAsync("a", WorkAsync, cancellationToken);
        }

        Assert.Equal(3, await singleflight.ExecuteAsync("a", WorkAsync).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Law10_Two_flights_that_wait_for_the_same_third_are_harmless()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var calls = new[] { "a", "b" }.Select(key => singleflight.ExecuteAsync(key, async _ =>
        {
            var both = await Task.WhenAll(
                singleflight.ExecuteAsync("c", backend.RunAsync).AsTask(),
                singleflight.ExecuteAsync("c", backend.RunAsync).AsTask());
            return both.Sum();
        }).AsTask()).ToArray();
        await singleflight.UntilSubscribersAsync(6);

        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal((IEnumerable<int>)[2, 2], await Task.WhenAll(calls).SoonAsync());
    }

    [Fact]
    public async Task Law10_Where_detection_is_off_the_deadlock_lasts_for_MaxDuration()
    {
        var singleflight = Create(options => options.DetectDeadlocks = false);
        var call = singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1));
        }).AsTask();
        await singleflight.UntilSubscribersAsync(2);

        Clock.Advance(30 * s_second);
        await call.ThrowsAsync<FlightTimeoutException>();
    }
}
