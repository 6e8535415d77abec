using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>A flight as the table has it: under its key, in a chain with those whose hash leads to the same bucket.</summary>
internal abstract class Flight<TKey> : Flight
    where TKey : notnull
{
    public Flight<TKey>? NextInBucket;

    protected Flight(Shard<TKey> shard, TKey key, uint hash)
        : base(shard)
    {
        Key = key;
        Hash = hash;
    }

    /// <summary>The key, until the work has ended.</summary>
    public TKey Key { get; private set; }

    public sealed override object? KeyObject
    {
        get
        {
            if (!IsStructOfObjects) return Key;

            // In this order, because another thread may release the key at the same moment.
            object? key = Key;
            Interlocked.MemoryBarrier();
            return HasReleasedKey ? null : key;
        }
    }

    public abstract Type ResultType { get; }

    // A released key that is a struct with references looks like another key, for example (null, 0).
    private static bool IsStructOfObjects => typeof(TKey).IsValueType && RuntimeHelpers.IsReferenceOrContainsReferences<TKey>();

    protected Shard<TKey> Table => Unsafe.As<Shard<TKey>>(Shard); // as the constructor has it

    protected sealed override void RemoveFromTable() => Table.Remove(this);

    protected sealed override void ReleaseKey()
    {
        if (!RuntimeHelpers.IsReferenceOrContainsReferences<TKey>()) return;
        if (IsStructOfObjects)
        {
            HasReleasedKey = true;
            Interlocked.MemoryBarrier();
        }

        Key = default!;
    }
}
