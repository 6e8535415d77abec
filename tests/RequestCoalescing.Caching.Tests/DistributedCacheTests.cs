using System.Text;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Caching.Tests;

public sealed class DistributedCacheTests
{
    private const string Key = "post:1";
    private const int Old = 1, New = 2;

    private readonly MemoryDistributedCache _cache = new(Options.Create(new MemoryDistributedCacheOptions()));
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
        Assert.Equal("2", await _cache.GetStringAsync(Key));
    }

    [Fact]
    public async Task A_load_that_began_before_a_removal_is_neither_stored_nor_joined()
    {
        var before = CallAsync();
        var load = await _backend.NextRunAsync();
        await _cache.RemoveAndForgetAsync(_singleflight, Key);
        var after = CallAsync();
        (await _backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(New, await CallAsync().SoonAsync());
    }

    [Fact]
    public async Task The_serializer_writes_and_reads_the_values()
    {
        var serializer = new Reversed();
        for (var i = 0; i < 2; i++) Assert.Equal("ab", await _cache.GetOrCreateAsync(_singleflight, "text", static _ => ValueTask.FromResult("ab"), serializer: serializer));
        Assert.Equal("ba", await _cache.GetStringAsync("text"));
    }

    private Task<int> CallAsync() => _cache.GetOrCreateAsync(_singleflight, Key, _backend.RunAsync).AsTask();

    private sealed class Reversed : IFlightSerializer
    {
        public byte[] Serialize<TResult>(TResult result) => [.. Encoding.UTF8.GetBytes($"{result}").Reverse()];

        public TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload) => (TResult)(object)Encoding.UTF8.GetString([.. payload.ToArray().Reverse()]);
    }
}
