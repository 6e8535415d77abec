using System.ComponentModel;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace RequestCoalescing.Caching.Tests;

/// <summary>
/// The stampedes that HybridCache and FusionCache test themselves for, over each of them. HybridCache's tests of its internal keys and locks have no
/// counterpart here, and the crowds of FusionCache are not repeated for each of its lockers and serializers.
/// </summary>
public abstract class StampedeTests : IAsyncDisposable
{
    protected const string Key = "post:1";
    protected const int Old = 1, New = 2;

    private static readonly HybridCacheEntryOptions s_noLevels = new() { Flags = HybridCacheEntryFlags.DisableLocalCache | HybridCacheEntryFlags.DisableDistributedCache };

    private readonly List<ServiceProvider> _providers = [];

    protected Backend<int> Backend { get; } = new();

    /// <summary>Registers the inner cache.</summary>
    protected abstract void AddInner(IServiceCollection services, IDistributedCache? secondLevel);

    [Theory]
    [InlineData(10, 0, false)]
    [InlineData(10, 0, true)]
    [InlineData(100, 0, false)]
    [InlineData(100, 0, true)]
    [InlineData(1_000, 0, false)]
    [InlineData(1_000, 0, true)]
    [InlineData(100, 50, false)]
    [InlineData(100, 50, true)]
    [InlineData(100, 100, false)]
    [InlineData(100, 100, true)]
    public async Task A_crowd_of_callers_that_wait_or_block_shares_one_load(int callers, int blocked, bool hasSecondLevel)
    {
        var secondLevel = hasSecondLevel ? new SecondLevel() : null;
        var (cache, flights) = Build(secondLevel);
        var calls = new Task<int>[callers];
        var crowd = Task.Factory.StartNew(() => Crowd.Run(Math.Max(blocked, 4), Call), TaskCreationOptions.LongRunning);
        await flights.UntilSubscribersAsync(callers);
        (await Backend.NextRunAsync()).Succeed(New);
        await crowd.SoonAsync();
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        if (hasSecondLevel) Assert.Equal(New, await CallAsync(Build(secondLevel).Cache).SoonAsync());
        Assert.Equal((1, 1L), (Backend.Runs, flights.GetStats().Flights));

        void Call(int thread)
        {
            for (var call = thread; call < callers; call += Math.Max(blocked, 4)) calls[call] = CallAsync(cache);
            if (thread < blocked) Assert.Equal(New, calls[thread].SoonAsync().GetAwaiter().GetResult());
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(10, false)]
    [InlineData(10, true)]
    public async Task Calls_that_disable_both_levels_share_a_load_and_leave_the_entry_as_it_is(int callers, bool canLeave)
    {
        var (cache, flights) = Build();
        await cache.SetAsync(Key, 9);
        using var leaves = canLeave ? new CancellationTokenSource() : null;
        foreach (var value in new[] { Old, New })
        {
            var calls = Enumerable.Range(0, callers).Select(_ => CallAsync(cache, s_noLevels, leaves?.Token ?? default)).ToArray();
            await flights.UntilSubscribersAsync(callers);
            var run = await Backend.NextRunAsync();
            Assert.False(run.Token.IsCancellationRequested);
            run.Succeed(value);
            Assert.All(await Task.WhenAll(calls).SoonAsync(), got => Assert.Equal(value, got));
        }

        Assert.Equal(9, await CallAsync(cache).SoonAsync());
        Assert.Equal(2, Backend.Runs);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    public async Task If_all_callers_leave_each_leaves_with_its_own_token_before_the_load_has_ended(int callers)
    {
        var (cache, flights) = Build();
        var leaves = Enumerable.Range(0, callers).Select(_ => new CancellationTokenSource()).ToArray();
        var calls = leaves.Select(own => cache.GetOrCreateAsync(Key, Backend.RunStubbornAsync, cancellationToken: own.Token).AsTask()).ToArray();
        await flights.UntilSubscribersAsync(callers);
        var run = await Backend.NextRunAsync();
        for (var call = 0; call < callers; call++)
        {
            Assert.False(run.Token.IsCancellationRequested);
            await leaves[call].CancelAsync();
            await calls[call].LeavesWithAsync(leaves[call].Token);
        }

        await run.CancelledAsync();
        var next = CallAsync(cache); // does not join the load that has no callers
        (await Backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await next.SoonAsync());
        run.Succeed(Old);
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(10, 0)]
    [InlineData(10, 1)]
    [InlineData(10, 7)]
    public async Task If_one_caller_stays_the_load_goes_on_and_is_stored(int callers, int staying)
    {
        var (cache, flights) = Build();
        var leaves = Enumerable.Range(0, callers).Select(_ => new CancellationTokenSource()).ToArray();
        var calls = leaves.Select(own => CallAsync(cache, token: own.Token)).ToArray();
        await flights.UntilSubscribersAsync(callers);
        var run = await Backend.NextRunAsync();
        foreach (var leaving in Enumerable.Range(0, callers).Where(call => call != staying))
        {
            await leaves[leaving].CancelAsync();
            await calls[leaving].LeavesWithAsync(leaves[leaving].Token);
        }

        Assert.False(run.Token.IsCancellationRequested);
        run.Succeed(New);
        Assert.Equal(New, await calls[staying].SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        Assert.Equal(1, Backend.Runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Callers_of_one_load_share_an_object_that_cannot_change(bool canLeave) => await SharesAsync(new Fixed(1), canLeave);

    // HybridCache copies such an object for each caller. Here callers that miss together share it unless CloneResult is set.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Callers_of_one_load_share_an_object_that_can_change(bool canLeave) => await SharesAsync(new Changing { Value = 1 }, canLeave);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Callers_of_one_load_get_copies_if_CloneResult_is_set(bool canLeave)
    {
        var (cache, flights) = Build(configure: static options => options.CloneResult = static value => new Changing { Value = ((Changing)value).Value });
        var results = await CallTwiceAsync(cache, flights, new Changing { Value = 1 }, canLeave);
        Assert.NotSame(results[0], results[1]);
        Assert.All(results, result => Assert.Equal(1, result.Value));
    }

    [Fact]
    public async Task A_thousand_keys_load_at_once_and_none_waits_for_another()
    {
        const int Keys = 1_000;
        var (cache, _) = Build();
        var calls = Enumerable.Range(0, Keys).Select(key => cache.GetOrCreateAsync($"post:{key}", Backend.RunAsync).AsTask()).ToArray();
        var runs = new List<BackendRun<int>>();
        for (var key = 0; key < Keys; key++) runs.Add(await Backend.NextRunAsync());
        foreach (var run in runs.AsEnumerable().Reverse()) run.Succeed(New);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));
    }

    // In FusionCache each waiting caller asks the failed backend again. Here the failure is the outcome of all callers, and only a later one asks again.
    [Fact]
    public async Task A_failure_reaches_all_callers_at_once_and_the_next_call_loads_anew()
    {
        var (cache, flights) = Build();
        var calls = Enumerable.Range(0, 10).Select(_ => CallAsync(cache)).ToArray();
        await flights.UntilSubscribersAsync(10);
        (await Backend.NextRunAsync()).Fail(new InvalidDataException());
        foreach (var call in calls) await call.ThrowsAsync<InvalidDataException>();
        Assert.Equal(1, Backend.Runs);

        var next = CallAsync(cache);
        (await Backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await next.SoonAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected Task<int> CallAsync(HybridCache cache, HybridCacheEntryOptions? options = null, CancellationToken token = default) =>
        cache.GetOrCreateAsync(Key, Backend.RunAsync, options, cancellationToken: token).AsTask();

    protected (HybridCache Cache, ISingleflight Flights) Build(IDistributedCache? secondLevel = null, Action<CoalescingHybridCacheOptions>? configure = null)
    {
        var provider = Provide(secondLevel, configure);
        return (provider.GetRequiredService<HybridCache>(), provider.GetRequiredKeyedService<ISingleflight>("cache"));
    }

    protected ServiceProvider Provide(IDistributedCache? secondLevel = null, Action<CoalescingHybridCacheOptions>? configure = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        AddInner(services, secondLevel);
        services.AddSingleflight("cache").CoalesceHybridCache(configure);
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return provider;
    }

    private async Task SharesAsync<T>(T value, bool canLeave)
        where T : class
    {
        var (cache, flights) = Build();
        Assert.All(await CallTwiceAsync(cache, flights, value, canLeave), result => Assert.Same(value, result));
    }

    private static async Task<T[]> CallTwiceAsync<T>(HybridCache cache, ISingleflight flights, T value, bool canLeave)
    {
        using var leaves = canLeave ? new CancellationTokenSource() : null;
        var backend = new Backend<T>();
        var calls = Enumerable.Range(0, 2).Select(_ => cache.GetOrCreateAsync(Key, backend.RunAsync, cancellationToken: leaves?.Token ?? default).AsTask()).ToArray();
        await flights.UntilSubscribersAsync(2);
        (await backend.NextRunAsync()).Succeed(value);
        return await Task.WhenAll(calls).SoonAsync();
    }

    [ImmutableObject(true)]
    private sealed record Fixed(int Value);

    private sealed class Changing
    {
        public int Value { get; set; }
    }
}

public sealed class HybridCacheStampedeTests : StampedeTests
{
    protected override void AddInner(IServiceCollection services, IDistributedCache? secondLevel)
    {
        if (secondLevel is not null) services.AddSingleton(secondLevel);
        services.AddHybridCache();
    }
}

public sealed class FusionCacheStampedeTests : StampedeTests
{
    // FusionCache coalesces its own callers with those of its adapter. Here only callers of the decorator share a flight.
    [Fact]
    public async Task A_caller_of_FusionCache_itself_loads_beside_the_flight_and_finds_what_it_has_stored()
    {
        var provider = Provide();
        var (cache, fusion) = (provider.GetRequiredService<HybridCache>(), provider.GetRequiredService<IFusionCache>());
        var call = CallAsync(cache);
        var run = await Backend.NextRunAsync();
        var direct = CallAsync(fusion);
        var beside = await Backend.NextRunAsync();
        beside.Succeed(Old);
        Assert.Equal(Old, await direct.SoonAsync());
        run.Succeed(New);
        Assert.Equal(New, await call.SoonAsync());
        Assert.Equal(New, await CallAsync(fusion).SoonAsync());
    }

    [Fact]
    public async Task A_flight_that_takes_off_while_a_caller_of_FusionCache_itself_loads_takes_its_value()
    {
        var provider = Provide();
        var direct = CallAsync(provider.GetRequiredService<IFusionCache>());
        var run = await Backend.NextRunAsync();
        var call = CallAsync(provider.GetRequiredService<HybridCache>());
        run.Succeed(New);
        Assert.Equal((IEnumerable<int>)[New, New], await Task.WhenAll(direct, call).SoonAsync());
        Assert.Equal(1, Backend.Runs);
    }

    protected override void AddInner(IServiceCollection services, IDistributedCache? secondLevel)
    {
        var fusion = services.AddFusionCache();
        if (secondLevel is not null) fusion.WithDistributedCache(secondLevel).WithSerializer(new FusionCacheSystemTextJsonSerializer());
        fusion.AsHybridCache();
    }

    private Task<int> CallAsync(IFusionCache fusion) => fusion.GetOrSetAsync<int>(Key, (_, token) => Backend.RunAsync(token).AsTask()).AsTask();
}
