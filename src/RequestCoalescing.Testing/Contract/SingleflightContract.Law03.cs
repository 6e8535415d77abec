namespace RequestCoalescing.Testing;

// 3. A flight that is ending cannot be joined.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law03_A_caller_that_sees_a_failure_and_calls_again_starts_a_new_flight()
    {
        var singleflight = Create();
        var runs = 0;

        async Task<int> InsistAsync()
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    return await singleflight.ExecuteAsync(Key, async _ =>
                    {
                        var run = ++runs;
                        await Task.Yield();
                        return run < 500 ? throw new InvalidDataException() : run;
                    });
                }
                catch (InvalidDataException)
                {
                    Assert.Equal(runs, attempt);
                }
            }
        }

        Assert.Equal(500, await InsistAsync().SoonAsync());
    }

    [Fact]
    public async Task Law03_A_caller_that_sees_a_result_and_calls_again_starts_a_new_flight()
    {
        var singleflight = Create();
        for (var run = 0; run < 500; run++)
        {
            Assert.Equal(run, await singleflight.ExecuteAsync(Key, async _ =>
            {
                await Task.Yield();
                return run;
            }).AsTask().SoonAsync());
        }
    }

    [Fact]
    public async Task Law03_No_caller_gets_an_outcome_that_was_seen_before_its_call()
    {
        var singleflight = Create();
        var made = 0;
        var seen = 0;
        Crowd.Run(4, _ =>
        {
            for (var round = 0; round < 2_000; round++)
            {
                var seenBefore = Volatile.Read(ref seen);
                var landed = singleflight.ExecuteAsync(Key, async _ =>
                {
                    await Task.Yield();
                    return Interlocked.Increment(ref made);
                }).AsTask().SoonAsync().GetAwaiter().GetResult();
                Assert.True(landed > seenBefore, "The caller joined a flight whose outcome had been seen before it called.");

                for (var highest = seenBefore; highest < landed;)
                {
                    var found = Interlocked.CompareExchange(ref seen, landed, highest);
                    if (found == highest) break;
                    highest = found;
                }
            }
        });
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 0, "all have landed");
    }

    [Fact]
    public async Task Law03_An_old_flight_that_lands_does_not_remove_the_entry_of_a_newer_one()
    {
        var singleflight = Create();
        var backend = new Backend<int>();

        var before = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var old = await backend.NextRunAsync();
        Assert.True(singleflight.Forget(Key));
        var after = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var current = await backend.NextRunAsync();
        old.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());

        var joining = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        current.Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        Assert.Equal(2, await joining.SoonAsync());
        Assert.Equal(2, backend.Runs);
    }

    [Fact]
    public async Task Law03_A_caller_that_comes_after_the_last_one_has_left_starts_a_new_flight()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();

        var gone = singleflight.ExecuteAsync(Key, backend.RunStubbornAsync, aborted.Token).AsTask();
        var cancelled = await backend.NextRunAsync();
        await singleflight.UntilSubscribersAsync(1);
        await aborted.CancelAsync();
        await gone.LeavesWithAsync(aborted.Token);

        var caller = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        Assert.False(run.Token.IsCancellationRequested);
        cancelled.Fail(new OperationCanceledException(cancelled.Token));

        var joining = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];
        run.Succeed(2);
        Assert.Equal(2, await caller.SoonAsync());
        Assert.Equal(2, await joining.SoonAsync());
        Assert.Equal(2, backend.Runs);
    }
}
