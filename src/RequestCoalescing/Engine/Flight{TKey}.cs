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

    public sealed override object? KeyObject => Key;

    public abstract Type ResultType { get; }

    protected Shard<TKey> Table => Unsafe.As<Shard<TKey>>(Shard); // as the constructor has it

    protected sealed override void RemoveFromTable() => Table.Remove(this);

    protected sealed override void ReleaseKey()
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<TKey>()) Key = default!;
    }
}
