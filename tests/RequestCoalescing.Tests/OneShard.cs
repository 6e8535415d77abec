namespace RequestCoalescing.Tests;

/// <summary>Puts the keys from 0 into one shard, and into different buckets: the high bits of the mixed hash choose the shard.</summary>
/// <param name="keys">The number of keys.</param>
internal sealed class OneShard(int keys) : IEqualityComparer<int>
{
    private readonly int[] _hashes = [.. Enumerable.Range(0, int.MaxValue).Where(static hash => Mix(hash) >> 22 == 0).Take(keys)];

    public bool Equals(int x, int y) => x == y;

    public int GetHashCode(int key) => _hashes[key];

    // The finalizer of MurmurHash3, as the engine mixes hashes.
    private static uint Mix(int hash)
    {
        var mixed = (uint)hash;
        mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6B;
        mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35;
        return mixed ^ (mixed >> 16);
    }
}
