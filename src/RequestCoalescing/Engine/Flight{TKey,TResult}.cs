namespace RequestCoalescing.Engine;

/// <summary>A flight that knows the key under which the table has it.</summary>
internal sealed class Flight<TKey, TResult>(Shard<TKey> shard, TKey key) : Flight<TResult>(shard)
    where TKey : notnull
{
    private readonly TKey _key = key;

    public override object Key => _key;

    private Shard<TKey> Table => (Shard<TKey>)Shard;

    protected override void RemoveFromTable() => Table.Remove(_key, this);

    protected override Flight<TResult> CreateSuccessor()
    {
        var successor = new Flight<TKey, TResult>(Table, _key);
        if (IsCurrent) Table.Replace(_key, this, successor);
        return successor;
    }
}
