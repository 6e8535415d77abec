using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Caching.Tests;

public sealed class MemoryCacheTests : IDisposable
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    private readonly MemoryCache _cache = new(new MemoryCacheOptions());
    private readonly Singleflight _singleflight = new();
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Callers_of_a_miss_share_one_load_and_later_ones_hit_the_cache()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => CallAsync()).ToArray();
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));
        Assert.Equal(New, await CallAsync().SoonAsync());
        Assert.Equal((1, 1L), (_backend.Runs, _singleflight.GetStats().Flights));
    }

    [Fact]
    public async Task A_flight_looks_once_more_before_it_loads()
    {
        using var cache = new LateCache(_cache) { BeforeSecondLook = () => _cache.Set(Key, New) };
        Assert.Equal(New, await cache.GetOrCreateAsync(_singleflight, Key, _backend.RunAsync).AsTask().SoonAsync());
        Assert.Equal(0, _backend.Runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_load_that_began_before_a_removal_is_neither_stored_nor_joined(bool forgetsOnly)
    {
        var before = CallAsync();
        var load = await _backend.NextRunAsync();
        if (forgetsOnly) _singleflight.Forget(Key);
        else _cache.RemoveAndForget(_singleflight, Key);
        var after = CallAsync();
        var second = await _backend.NextRunAsync();
        second.Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(New, await CallAsync().SoonAsync());
    }

    [Fact]
    public void No_reader_that_comes_after_a_removal_sees_what_was_loaded_before_it()
    {
        var (database, removed) = (0, 0);
        Crowd.Run(4, thread =>
        {
            for (var round = 0; round < 2_000; round++)
            {
                if (thread == 0)
                {
                    var version = Interlocked.Increment(ref database);
                    _cache.RemoveAndForget(_singleflight, Key);
                    Volatile.Write(ref removed, version);
                    continue;
                }

                var least = Volatile.Read(ref removed);
                var read = _cache.GetOrCreateAsync(_singleflight, Key, async _ =>
                {
                    var version = Volatile.Read(ref database);
                    await Task.Yield();
                    return version;
                });
                Assert.True(read.AsTask().SoonAsync().GetAwaiter().GetResult() >= least);
            }
        });
    }

    [Fact]
    public async Task A_null_result_is_loaded_once_and_the_options_of_the_entry_count()
    {
        var loads = 0;
        var options = new MemoryCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromTicks(1) };
        for (var i = 0; i < 2; i++) Assert.Null(await _cache.GetOrCreateAsync(_singleflight, "null", _ => new ValueTask<string?>(Load())));
        Assert.Equal(1, loads);
        for (var i = 0; i < 2; i++) Assert.Null(await _cache.GetOrCreateAsync(_singleflight, "short", _ => new ValueTask<string?>(Load()), options));
        Assert.Equal(3, loads);

        string? Load()
        {
            loads++;
            return null;
        }
    }

    public void Dispose() => _cache.Dispose();

    private Task<int> CallAsync() => _cache.GetOrCreateAsync(_singleflight, Key, _backend.RunAsync).AsTask();

    // Another flight stores between the two looks of a call.
    private sealed class LateCache(MemoryCache inner) : IMemoryCache
    {
        private int _looks;

        public required Action BeforeSecondLook { get; init; }

        public bool TryGetValue(object key, out object? value)
        {
            if (++_looks == 2) BeforeSecondLook();
            return inner.TryGetValue(key, out value);
        }

        public ICacheEntry CreateEntry(object key) => inner.CreateEntry(key);

        public void Remove(object key) => inner.Remove(key);

        public void Dispose()
        {
        }
    }
}
