using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Caching.Memory;
using RequestCoalescing.Shared;

namespace RequestCoalescing.Http;

/// <summary>Remembers a value for some keys for a while. Bounded: when it is full, it makes room in the background, and does not take new keys meanwhile.</summary>
internal sealed class Remembered<T>(int most, TimeSpan duration, TimeProvider clock) : IDisposable
    where T : class
{
    private readonly MemoryCache _values = new(new MemoryCacheOptions { SizeLimit = most, Clock = new CacheClock(clock) });
    private volatile bool _isUsed; // many origins give nothing to remember, and a look takes longer than this

    public void Add(string key, T value)
    {
        _values.Set(key, value, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = duration });
        _isUsed = true;
    }

    public bool TryGet(string key, [NotNullWhen(true)] out T? value)
    {
        value = null;
        return _isUsed && _values.TryGetValue(key, out value) && value is not null;
    }

    public void Dispose() => _values.Dispose();
}
