using RequestCoalescing.Engine;

namespace RequestCoalescing.Tests;

/// <summary>Puts the keys from 0 into one shard, and into different buckets: the high bits of the mixed hash choose the shard.</summary>
/// <param name="keys">The number of keys.</param>
internal sealed class OneShard(int keys) : IEqualityComparer<int>
{
    private readonly int[] _hashes = [.. Enumerable.Range(0, int.MaxValue).Where(static hash => HashMix.Of(hash) >> 22 == 0).Take(keys)];

    public bool Equals(int x, int y) => x == y;

    public int GetHashCode(int key) => _hashes[key];
}
