using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>A flight as the table has it: under its key, in a chain with those whose hash leads to the same bucket.</summary>
internal abstract class Flight<TKey>(Shard<TKey> shard, TKey key, int hash) : Flight(shard)
    where TKey : notnull
{
    public readonly TKey Key = key;
    public readonly int Hash = hash;
    public Flight<TKey>? NextInBucket;

    public sealed override object KeyObject => Key;

    public abstract Type ResultType { get; }

    protected Shard<TKey> Table => Unsafe.As<Shard<TKey>>(Shard); // as the constructor has it

    protected sealed override void RemoveFromTable() => Table.Remove(this);
}
