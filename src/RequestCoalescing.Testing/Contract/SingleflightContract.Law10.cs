namespace RequestCoalescing.Testing;

// 10. Work that waits for its own flight gets an error that names the keys.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law10_Work_that_waits_for_its_own_flight_gets_a_deadlock_error()
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
    public async Task Law10_Work_that_returns_the_call_for_its_own_flight_gets_a_deadlock_error()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", _ => singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1))).AsTask();

        await call.ThrowsAsync<FlightDeadlockException>();
    }

    [Fact]
    public async Task Law10_A_deadlock_of_nested_flights_is_reported_with_its_keys()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync("a", async _ =>
            await singleflight.ExecuteAsync("b", async _ =>
                await singleflight.ExecuteAsync("c", async _ =>
                {
                    await Task.Yield(); // by now, each flight waits for the next
                    return await singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(1));
                }))).AsTask();

        var keys = (await call.ThrowsAsync<FlightDeadlockException>()).Keys;
        Assert.Equal(4, keys.Count);
        Assert.Equal(keys[0], keys[^1]);
        Assert.Equal(["a", "b", "c"], keys.Skip(1).Order());
    }

    [Fact]
    public async Task Law10_A_deadlock_of_flights_that_different_callers_started_is_reported()
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

            // The second of the two waits is the deadlock and gets the error. Its flight fails with the error, and so does the other flight.
            foreach (var call in calls) await call.ThrowsAsync<FlightDeadlockException>();
        }
    }

    [Fact]
    public async Task Law10_Work_can_handle_its_deadlock_error()
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
    public async Task Law10_Work_can_call_for_one_key_twice_one_call_after_the_other()
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
    public async Task Law10_Work_can_start_a_flight_without_waiting_for_it()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var started = new TaskCompletionSource<ValueTask<int>>();

        var outer = singleflight.ExecuteAsync("outer", async flight =>
        {
            // The inner flight waits for the outer one. The outer one does not wait for the inner one.
            started.SetResult(singleflight.ExecuteAsync("inner", async _ => 1 + await singleflight.ExecuteAsync("outer", backend.RunAsync)));
            return await backend.RunAsync(flight);
        }).AsTask();
        var call = await started.Task.SoonAsync();
        await singleflight.UntilSubscribersAsync(3);
        var inner = call.AsTask(); // outside of the work, so that the work does not wait for it

        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await outer.SoonAsync());
        Assert.Equal(2, await inner.SoonAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law10_Work_can_forget_its_own_key_and_call_for_it_again()
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
    public async Task Law10_Two_flights_can_wait_for_the_same_flight()
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
    public async Task Law10_A_deadlock_lasts_for_MaxDuration_if_DetectDeadlocks_is_off()
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
