using System.Text;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Caching.Tests;

public sealed class DistributedCacheTests : ExtensionTests
{
    private readonly MemoryDistributedCache _cache = new(Options.Create(new MemoryDistributedCacheOptions()));

    [Fact]
    public async Task A_value_is_stored_as_JSON()
    {
        Assert.Equal("text", await _cache.GetOrCreateAsync(Flights, Key, static _ => ValueTask.FromResult("text")));
        Assert.Equal("\"text\"", await _cache.GetStringAsync(Key));
    }

    [Fact]
    public async Task The_serializer_writes_and_reads_the_values()
    {
        var serializer = new Reversed();
        for (var i = 0; i < 2; i++) Assert.Equal("ab", await _cache.GetOrCreateAsync(Flights, "text", static _ => ValueTask.FromResult("ab"), serializer: serializer));
        Assert.Equal("ba", await _cache.GetStringAsync("text"));
    }

    protected override ValueTask<int> GetAsync() => _cache.GetOrCreateAsync(Flights, Key, Backend.RunAsync);

    protected override Task RemoveAsync() => _cache.RemoveAndForgetAsync(Flights, Key);

    private sealed class Reversed : IFlightSerializer
    {
        public byte[] Serialize<TResult>(TResult result) => [.. Encoding.UTF8.GetBytes($"{result}").Reverse()];

        public TResult Deserialize<TResult>(ReadOnlyMemory<byte> payload) => (TResult)(object)Encoding.UTF8.GetString([.. payload.ToArray().Reverse()]);
    }
}
