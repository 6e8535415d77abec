using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Caching.Tests;

/// <summary>A HybridCache with a second level whose answers can be held up.</summary>
public sealed class SecondLevelTests : IAsyncDisposable
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    private readonly SlowCache _second = new();
    private readonly Backend<int> _backend = new();
    private readonly List<ServiceProvider> _nodes = [];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_look_that_has_read_the_old_value_from_the_second_level_brings_it_to_no_later_reader(bool sets)
    {
        await StoreAsync(Old);
        var cache = Start();
        var (hasRead, mayAnswer) = _second.HoldNextAnswer();
        var before = CallAsync(cache);
        await hasRead.SoonAsync();
        var change = (sets ? cache.SetAsync(Key, New) : cache.RemoveAsync(Key)).AsTask();
        mayAnswer.SetResult();
        await change.SoonAsync();
        Assert.Equal(Old, await before.SoonAsync()); // it came before the change
        var after = CallAsync(cache);
        if (!sets) (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Fact]
    public async Task A_flight_that_takes_off_during_a_removal_hands_nothing_old_to_a_later_reader()
    {
        await StoreAsync(Old);
        var cache = Start();
        var (isRemoving, mayRemove) = _second.HoldNextRemoval();
        var removal = cache.RemoveAsync(Key).AsTask();
        await isRemoving.SoonAsync();
        var during = CallAsync(cache);
        var run = await _backend.NextRunAsync(); // it does not look into a cache that is being emptied
        mayRemove.SetResult();
        await removal.SoonAsync();
        var after = CallAsync(cache);
        var second = await _backend.NextRunAsync();
        run.Succeed(Old);
        second.Succeed(New);
        Assert.Equal((IEnumerable<int>)[Old, New], await Task.WhenAll(during, after).SoonAsync());
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
    }

    [Fact]
    public async Task A_value_of_the_second_level_is_not_loaded_and_comes_nearer()
    {
        await StoreAsync(New);
        var cache = Start();
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        _second.Reads = 0;
        Assert.Equal(New, await CallAsync(cache).SoonAsync());
        Assert.Equal((0, 0), (_second.Reads, _backend.Runs));
    }

    [Fact]
    public async Task A_load_that_runs_alone_and_whose_caller_has_left_does_not_store_after_a_removal()
    {
        var cache = Start(static options => (options.MaxInFlight, options.Overflow) = (1, OverflowBehavior.RunAlone));
        _ = cache.GetOrCreateAsync("other", _backend.RunAsync).AsTask();
        await _backend.NextRunAsync();
        using var leaves = new CancellationTokenSource();
        var alone = cache.GetOrCreateAsync(Key, _backend.RunStubbornAsync, tags: ["posts"], cancellationToken: leaves.Token).AsTask();
        var run = await _backend.NextRunAsync();
        await leaves.CancelAsync();
        await alone.ThrowsAsync<OperationCanceledException>();
        await cache.RemoveByTagAsync("posts");
        run.Succeed(Old);
        var after = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
    }

    [Fact]
    public async Task A_reload_does_not_join_a_flight_that_looks_into_the_cache()
    {
        var cache = Start();
        await StoreAsync(Old);
        var (hasRead, mayAnswer) = _second.HoldNextAnswer();
        var read = CallAsync(cache);
        await hasRead.SoonAsync();
        var reload = cache.GetOrCreateAsync(
            Key, _backend.RunAsync, new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead }).AsTask();
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await reload.SoonAsync());
        mayAnswer.SetResult();
        Assert.Equal(Old, await read.SoonAsync());
    }

    [Fact]
    public async Task A_call_that_only_looks_runs_beside_a_call_that_loads()
    {
        var cache = Start();
        var (hasRead, mayAnswer) = _second.HoldNextAnswer();
        var load = CallAsync(cache);
        await hasRead.SoonAsync();
        var look = cache.GetOrCreateAsync(Key, "state", static (_, _) => ValueTask.FromResult(9), new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableUnderlyingData }).AsTask();
        mayAnswer.SetResult();
        Assert.Equal(0, await look.SoonAsync());
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await load.SoonAsync());
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("a\nb")]
    [InlineData("long")]
    public async Task A_key_that_the_cache_refuses_is_loaded_and_not_stored(string key)
    {
        var cache = Start();
        if (key == "long") key = new string('a', 5_000);
        for (var i = 0; i < 2; i++) Assert.Equal(i, await cache.GetOrCreateAsync(key, i, static (i, _) => ValueTask.FromResult(i)));
        Assert.Null(await _second.GetAsync(key));
    }

    [Fact]
    public async Task A_removal_by_tag_drops_remembered_failures()
    {
        var cache = Start(configure: static options => options.FailureDuration = TimeSpan.FromHours(1));
        var failed = cache.GetOrCreateAsync(Key, _backend.RunAsync, tags: ["posts"]).AsTask();
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        await failed.ThrowsAsync<InvalidDataException>();
        await CallAsync(cache).ThrowsAsync<InvalidDataException>();
        await cache.RemoveByTagAsync("posts");
        var after = CallAsync(cache);
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
    }

    [Fact]
    public async Task A_look_that_has_read_an_expired_value_hands_it_to_no_reader_after_a_removal()
    {
        static void KeepStale(CoalescingHybridCacheOptions options) => options.StaleFor = TimeSpan.FromHours(1);
        await Start(configure: KeepStale).SetAsync(Key, Old);
        _second.Remove(Key); // the entry has expired, and its copy has not
        var cache = Start(configure: KeepStale);
        var before = CallAsync(cache);
        var load = await _backend.NextRunAsync();
        var (hasRead, mayAnswer) = _second.HoldNextAnswer();
        load.Fail(new InvalidDataException());
        await hasRead.SoonAsync();

        var removal = cache.RemoveAsync(Key).AsTask();
        Assert.False(removal.IsCompleted);
        mayAnswer.SetResult();
        await removal.SoonAsync();
        Assert.Equal(Old, await before.SoonAsync()); // it came before the removal
        var after = CallAsync(cache);
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        await after.ThrowsAsync<InvalidDataException>();
    }

    [Fact]
    public async Task A_removal_on_another_node_drops_the_expired_value_of_all_nodes()
    {
        static void KeepStale(CoalescingHybridCacheOptions options) => options.StaleFor = TimeSpan.FromHours(1);
        var services = new ServiceCollection();
        services.AddSingleton<IDistributedCache>(_second);
        services.AddHybridCache();
        var inner = services.BuildServiceProvider();
        _nodes.Add(inner);
        var (cache, other) = (Start(configure: KeepStale, inner: inner.GetRequiredService<HybridCache>()), Start(configure: KeepStale));
        await cache.SetAsync(Key, Old);
        await other.RemoveAsync(Key);
        await inner.GetRequiredService<HybridCache>().RemoveAsync(Key); // the entry expires in the first level
        var call = CallAsync(cache);
        (await _backend.NextRunAsync()).Fail(new InvalidDataException());
        await call.ThrowsAsync<InvalidDataException>();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
    }

    private Task<int> CallAsync(HybridCache cache) => cache.GetOrCreateAsync(Key, _backend.RunAsync).AsTask();

    // Another node stores a value in the second level.
    private async Task StoreAsync(int value) => await Start().SetAsync(Key, value);

    private HybridCache Start(Action<SingleflightOptions>? limits = null, Action<CoalescingHybridCacheOptions>? configure = null, HybridCache? inner = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IDistributedCache>(_second);
        if (inner is null) services.AddHybridCache();
        else services.AddSingleton(inner);
        services.AddSingleflight("cache", limits).CoalesceHybridCache(configure);
        var node = services.BuildServiceProvider();
        _nodes.Add(node);
        return node.GetRequiredService<HybridCache>();
    }

    // Holds up the answer to one read, after the value has been read, or one removal.
    private sealed class SlowCache : IDistributedCache
    {
        private readonly MemoryDistributedCache _inner = new(Options.Create(new MemoryDistributedCacheOptions()));
        private Func<Task>? _afterRead;
        private Func<Task>? _beforeRemoval;

        public int Reads { get; set; }

        public (Task HasRead, TaskCompletionSource MayAnswer) HoldNextAnswer() => Hold(hook => _afterRead = hook);

        public (Task IsRemoving, TaskCompletionSource MayRemove) HoldNextRemoval() => Hold(hook => _beforeRemoval = hook);

        public async Task<byte[]?> GetAsync(string key, CancellationToken token = default)
        {
            if (key == Key) Reads++;
            var value = await _inner.GetAsync(key, token);
            if (key.EndsWith(Key, StringComparison.Ordinal) && Interlocked.Exchange(ref _afterRead, null) is { } hook) await hook();
            return value;
        }

        public async Task RemoveAsync(string key, CancellationToken token = default)
        {
            if (Interlocked.Exchange(ref _beforeRemoval, null) is { } hook) await hook();
            await _inner.RemoveAsync(key, token);
        }

        public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default) => _inner.SetAsync(key, value, options, token);

        public Task RefreshAsync(string key, CancellationToken token = default) => _inner.RefreshAsync(key, token);

        public byte[]? Get(string key) => _inner.Get(key);

        public void Refresh(string key) => _inner.Refresh(key);

        public void Remove(string key) => _inner.Remove(key);

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => _inner.Set(key, value, options);

        private static (Task, TaskCompletionSource) Hold(Action<Func<Task>> set)
        {
            var isThere = new TaskCompletionSource();
            var mayGo = new TaskCompletionSource();
            set(() =>
            {
                isThere.SetResult();
                return mayGo.Task;
            });
            return (isThere.Task, mayGo);
        }
    }
}
