using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>A drain admits the flights that were running when it began, and the calls that their work makes. It admits nothing else.</summary>
public sealed class DrainTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Work_that_another_engine_had_in_flight_may_call_and_later_work_may_not()
    {
        await using var drained = new Singleflight();
        await using var other = new Singleflight();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var held = drained.ExecuteAsync("held", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var early = other.ExecuteAsync("early", CallAsync).AsTask();

        var draining = drained.DrainAsync();
        var late = other.ExecuteAsync("late", CallAsync).AsTask();
        goOn.SetResult();

        Assert.Equal(7, await early.SoonAsync());
        Assert.Equal(FlightRejectionReason.Draining, (await late.ThrowsAsync<FlightRejectedException>()).Reason);
        Assert.False(draining.IsCompleted);
        run.Succeed(1);
        await held.SoonAsync();
        await draining.SoonAsync();

        async ValueTask<int> CallAsync(CancellationToken flight)
        {
            await goOn.Task;
            return await drained.ExecuteAsync("called", static async _ =>
            {
                await Task.Yield();
                return 7;
            });
        }
    }

    [Fact]
    public async Task Nested_calls_are_admitted_at_any_depth()
    {
        await using var drained = new Singleflight();
        await using var other = new Singleflight();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var deep = drained.ExecuteAsync("0", async _ =>
        {
            await goOn.Task;
            return await NextAsync(1);
        }).AsTask();
        var draining = drained.DrainAsync();
        goOn.SetResult();

        Assert.Equal(20, await deep.SoonAsync());
        await draining.SoonAsync();

        async ValueTask<int> NextAsync(int depth)
        {
            await Task.Yield();
            return depth == 20 ? depth : await (depth % 2 == 0 ? drained : other).ExecuteAsync($"{depth}", _ => NextAsync(depth + 1));
        }
    }

    [Fact]
    public async Task A_drain_ends_even_if_flights_keep_starting_each_other()
    {
        var clock = new FakeTimeProvider();
        await using var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        var refused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var number = 0;
        _ = RelayAsync();
        var draining = singleflight.DrainAsync();
        await Patience.UntilAsync(() => Volatile.Read(ref number) > 100, "flights have started each other during the drain");
        Assert.False(draining.IsCompleted);

        clock.Advance(TimeSpan.FromSeconds(30));
        await refused.Task.SoonAsync();
        await draining.SoonAsync();

        // Each flight starts the next one before it lands, and does not await it.
        async Task RelayAsync()
        {
            try
            {
                await singleflight.ExecuteAsync($"{Interlocked.Increment(ref number)}", async flight =>
                {
                    await Task.Yield();
                    _ = RelayAsync();
                    return flight.IsCancellationRequested;
                });
            }
            catch (FlightRejectedException)
            {
                refused.TrySetResult();
            }
        }
    }

    [Fact]
    public async Task A_drain_never_refuses_a_call_of_running_work()
    {
        for (var round = 0; round < 2_000; round++)
        {
            await using var singleflight = new Singleflight<int>();
            var calls = new Task<int>[8];
            Task? draining = null;
            Crowd.Run(2, thread =>
            {
                if (thread == 0) draining = singleflight.DrainAsync();
                else for (var i = 0; i < calls.Length; i++) calls[i] = NestedAsync(i);
            });

            // The outermost call may come too late. A flight that has started lands, because the drain admits its own calls.
            foreach (var call in calls) Assert.True(await call.SoonAsync() is 0 or 3);
            await draining!.SoonAsync();
            Assert.Equal(0, singleflight.GetStats().InFlightCount);

            async Task<int> NestedAsync(int key)
            {
                var hasTakenOff = false;
                try
                {
                    return await singleflight.ExecuteAsync(key, async _ =>
                    {
                        hasTakenOff = true;
                        await Task.Yield();
                        return 1 + await singleflight.ExecuteAsync(key + 100, async _ =>
                        {
                            await Task.Yield();
                            return 1 + await singleflight.ExecuteAsync(key + 200, _ => new ValueTask<int>(1));
                        });
                    });
                }
                catch (FlightRejectedException)
                {
                    return hasTakenOff ? -1 : 0;
                }
            }
        }
    }
}
