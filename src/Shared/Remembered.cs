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
[SuppressMessage("Design", "CA1001", Justification = "The cache holds nothing but memory, and the work of a flight, which may outlive the services, goes on using it.")]
internal sealed class Remembered<T>(int most, TimeProvider clock)
    where T : class
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(365);

    private readonly MemoryCache _values = new(new MemoryCacheOptions { Clock = new CacheClock(clock) });
    private readonly uint _countEvery = Math.Max(1, (uint)most / 100); // counting locks all of the cache
    private uint _sets;
    private int _isMakingRoom;
    private volatile bool _isUsed; // many programs have nothing to remember, and a look takes longer than this

    public int Count => _values.Count;

    public void Set(string key, T value, TimeSpan duration)
    {
        if (duration <= TimeSpan.Zero || Volatile.Read(ref _isMakingRoom) != 0)
        {
            _values.Remove(key);
            return;
        }

        _values.Set(key, value, duration < s_longest ? duration : s_longest);
        _isUsed = true;
        if (Interlocked.Increment(ref _sets) % _countEvery == 0 && _values.Count > most && Interlocked.Exchange(ref _isMakingRoom, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static self => self.MakeRoom(), this, preferLocal: false);
    }

    public bool TryGet(string key, [NotNullWhen(true)] out T? value)
    {
        value = null;
        return _isUsed && _values.TryGetValue(key, out value) && value is not null;
    }

    public void Remove(string key) => _values.Remove(key);

    public void Clear() => _values.Clear();

    private void MakeRoom()
    {
        try
        {
            _values.Compact(1 - (0.9 * most / _values.Count));
        }
        catch (Exception)
        {
            // The clock is the application's. The next try may find room.
        }

        Volatile.Write(ref _isMakingRoom, 0);
    }
}
