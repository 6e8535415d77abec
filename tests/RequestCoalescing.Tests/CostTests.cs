using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests;

/// <summary>
/// Costs that must not grow without bound. Nothing here is timed. The counts are so high that a test would exceed its patience if the cost grew
/// with their square.
/// </summary>
public sealed class CostTests
{
    [Fact]
    public async Task Keys_that_differ_only_in_high_bits_are_spread_over_the_table()
    {
        await using var singleflight = new Singleflight<long>();
        var end = new TaskCompletionSource<int>();
        await Task.Run(async () =>
        {
            var calls = Enumerable.Range(0, 200_000).Select(number => singleflight.ExecuteAsync(number * 4096L, _ => end.Task).AsTask()).ToArray();
            Assert.Equal(200_000, singleflight.GetStats().InFlightCount);
            end.SetResult(1);
            await Task.WhenAll(calls);
        }).SoonAsync();
    }

    [Fact]
    public void An_unused_engine_is_small()
    {
        _ = new Singleflight<long>();
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = new Singleflight<long>();
        var size = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(size <= (Environment.ProcessorCount <= 2 ? 4 * 1024 : 24 * 1024), $"It takes {size} bytes.");
    }

    [Fact]
    public void An_instance_of_a_service_provider_has_no_second_engine_until_it_is_observed()
    {
        const int Count = 50;
        var services = new ServiceCollection();
        for (var i = 0; i <= Count; i++) services.AddSingleflight($"{i}");
        using var provider = services.BuildServiceProvider();
        provider.GetRequiredKeyedService<ISingleflight>("0");
        var before = GC.GetAllocatedBytesForCurrentThread(); // what other tests allocate meanwhile does not count
        for (var i = 1; i <= Count; i++) provider.GetRequiredKeyedService<ISingleflight>($"{i}");
        var size = (GC.GetAllocatedBytesForCurrentThread() - before) / Count;
        Assert.True(size <= 24 * 1024, $"The instance takes {size} bytes.");
    }

    [Fact]
    public async Task Flights_that_nest_on_one_stack_continue_on_the_thread_pool_before_it_overflows()
    {
        await using var singleflight = new Singleflight<int>();
        Assert.Equal(10_000, await NextAsync(0).AsTask().SoonAsync());

        ValueTask<int> NextAsync(int depth) =>
            depth == 10_000 ? new(depth) : singleflight.ExecuteAsync(depth, _ => NextAsync(depth + 1));
    }

    [Fact]
    public async Task A_forgotten_flight_does_not_keep_its_landed_neighbours_alive()
    {
        await using var singleflight = new Singleflight<object>();
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var last = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var (flying, landed) = Fly();
        singleflight.Clear();
        end.SetResult(1);
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 1, "all but one have landed");
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return landed.All(key => !key.IsAlive);
            },
            "the keys of landed flights are collected");
        Assert.False(flying.IsCompleted);
        last.SetResult(1);

        // A separate method, so that no local variable keeps a key alive.
        (Task Flying, WeakReference[] Landed) Fly()
        {
            var keys = Enumerable.Range(0, 100).Select(_ => new Crowded()).ToArray();
            var calls = keys.Select((key, number) => singleflight.ExecuteAsync(key, _ => number == 99 ? last.Task : end.Task).AsTask()).ToArray();
            return (calls[^1], [.. keys.Take(99).Select(key => new WeakReference(key))]);
        }
    }

    /// <summary>A key that equals no other key, but has the same hash as all of them.</summary>
    private sealed class Crowded
    {
        public override int GetHashCode() => 1;
    }
}
