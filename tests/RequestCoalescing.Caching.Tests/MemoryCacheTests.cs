using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Caching.Tests;

public sealed class MemoryCacheTests : ExtensionTests, IDisposable
{
    private readonly MemoryCache _cache = new(new MemoryCacheOptions());

    [Fact]
    public async Task A_flight_looks_once_more_before_it_loads()
    {
        using var cache = new LateCache(_cache) { BeforeSecondLook = () => _cache.Set(Key, 2) };
        Assert.Equal(2, await cache.GetOrCreateAsync(Flights, Key, Backend.RunAsync).AsTask().SoonAsync());
        Assert.Equal(0, Backend.Runs);
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
                    _cache.RemoveAndForget(Flights, Key);
                    Volatile.Write(ref removed, version);
                    continue;
                }

                var least = Volatile.Read(ref removed);
                var read = _cache.GetOrCreateAsync(Flights, Key, async _ =>
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
        for (var i = 0; i < 2; i++) Assert.Null(await _cache.GetOrCreateAsync(Flights, "null", _ => new ValueTask<string?>(Load())));
        Assert.Equal(1, loads);
        for (var i = 0; i < 2; i++) Assert.Null(await _cache.GetOrCreateAsync(Flights, "short", _ => new ValueTask<string?>(Load()), options));
        Assert.Equal(3, loads);

        string? Load()
        {
            loads++;
            return null;
        }
    }

    public void Dispose() => _cache.Dispose();

    protected override ValueTask<int> GetAsync() => _cache.GetOrCreateAsync(Flights, Key, Backend.RunAsync);

    protected override Task RemoveAsync()
    {
        _cache.RemoveAndForget(Flights, Key);
        return Task.CompletedTask;
    }

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
