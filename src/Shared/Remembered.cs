using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Shared;

/// <summary>
/// Remembers a value for some keys for a while. Bounded: when it has too many keys, it drops those that were used least lately in the background, and takes no
/// others meanwhile. It counts by itself, because the <c>SizeLimit</c> of .NET 10's memory cache can count below zero, and then the cache takes nothing more
/// (dotnet/runtime#129186).
/// </summary>
/// <param name="most">How many keys there may be. At times there is a hundredth more.</param>
/// <param name="clock">The clock.</param>
internal sealed class Remembered<T>(int most, TimeProvider clock) : IDisposable
    where T : class
{
    private readonly MemoryCache _values = new(new MemoryCacheOptions { Clock = new CacheClock(clock) });
    private readonly uint _countEvery = Math.Max(1, (uint)most / 100); // counting locks all of the cache
    private uint _sets;
    private int _isMakingRoom;
    private volatile bool _isUsed; // many programs have nothing to remember, and a look takes longer than this

    public int Count => _values.Count;

    public void Set(string key, T value, TimeSpan duration)
    {
        try
        {
            if (Volatile.Read(ref _isMakingRoom) != 0)
            {
                _values.Remove(key);
                return;
            }

            _values.Set(key, value, duration);
            _isUsed = true;
            if (Interlocked.Increment(ref _sets) % _countEvery == 0 && _values.Count > most && Interlocked.Exchange(ref _isMakingRoom, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static self => self.MakeRoom(), this, preferLocal: false);
        }
        catch (ObjectDisposedException)
        {
            // The work of a flight outlives the services. Its callers still get its outcome.
        }
    }

    public bool TryGet(string key, [NotNullWhen(true)] out T? value)
    {
        value = null;
        return _isUsed && _values.TryGetValue(key, out value) && value is not null;
    }

    public void Remove(string key) => _values.Remove(key);

    public void Clear() => _values.Clear();

    public void Dispose() => _values.Dispose();

    private void MakeRoom()
    {
        try
        {
            _values.Compact(1 - (0.9 * most / _values.Count));
        }
        catch (ObjectDisposedException)
        {
        }

        Volatile.Write(ref _isMakingRoom, 0);
    }
}
