using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Peers.Tests;

/// <summary>A cache and a flight together: the recipes of docs/comparison.md.</summary>
public sealed class UsingBothTests
{
    private static readonly HybridCacheEntryOptions s_readOnly = new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData };
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task A_flight_around_FusionCache_makes_one_backend_call_for_a_failure()
    {
        var cache = NewFusionCache();
        var flights = new Singleflight();
        var callers = Enumerable.Range(0, 5).Select(_ => flights.CallAsync(flight => new ValueTask<int>(cache.CallAsync(_backend.RunAsync, flight)))).ToArray();
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());

        foreach (var caller in callers) await caller.ThrowsAsync<InvalidDataException>();
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_flight_around_FusionCache_lets_the_leader_leave_and_the_load_goes_on()
    {
        var cache = NewFusionCache();
        var flights = new Singleflight();
        using var aborted = new CancellationTokenSource();
        Task<int> CallAsync(CancellationToken token) => flights.CallAsync(flight => new ValueTask<int>(cache.CallAsync(_backend.RunAsync, flight)), token);
        var leader = CallAsync(aborted.Token);
        var run = await _backend.NextRunAsync();
        var follower = CallAsync(default);
        await aborted.CancelAsync();

        await leader.LeavesWithAsync(aborted.Token);
        run.Succeed(1);
        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal(1, await CallAsync(default).SoonAsync()); // from the cache
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task A_flight_inside_HybridCache_ends_hung_work_and_frees_the_key()
    {
        var clock = new FakeTimeProvider();
        var cache = NewHybridCache();
        var flights = new Singleflight(new SingleflightOptions { TimeProvider = clock, MaxDuration = TimeSpan.FromSeconds(5) });
        var callers = Enumerable.Range(0, 3)
            .Select(_ => cache.CallAsync(token => flights.ExecuteAsync(Key, _backend.RunStubbornAsync, token))).ToArray();
        var hung = await _backend.NextRunAsync();
        clock.Advance(TimeSpan.FromSeconds(5));

        foreach (var caller in callers) await caller.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(2, await cache.CallAsync(token => flights.ExecuteAsync(Key, _ => ValueTask.FromResult(2), token)).SoonAsync());
        hung.Succeed(1);
    }

    [Fact]
    public async Task A_flight_that_reads_and_writes_HybridCache_itself_keeps_a_removed_value_out()
    {
        const int Old = 1, New = 2;
        var cache = NewHybridCache();
        var flights = new Singleflight();
        Task<int?> GetAsync(Func<CancellationToken, ValueTask<int>> load) => flights.ExecuteAsync(Key, async (FlightContext flight) =>
        {
            var cached = await cache.GetOrCreateAsync<int?>(Key, _ => default, s_readOnly, cancellationToken: flight);
            if (cached is not null) return cached;
            int? loaded = await load(flight);
            if (flight.IsCurrent) await cache.SetAsync(Key, loaded, cancellationToken: flight);
            return loaded;
        }).AsTask();

        var before = GetAsync(_backend.RunAsync);
        var load = await _backend.NextRunAsync();
        flights.Forget(Key);
        await cache.RemoveAsync(Key);

        Assert.Equal(New, await GetAsync(_ => ValueTask.FromResult(New)).SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(New, await GetAsync(_ => ValueTask.FromResult(3)).SoonAsync()); // from the cache
    }
}
