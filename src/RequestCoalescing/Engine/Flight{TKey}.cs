using System.Runtime.CompilerServices;
using RequestCoalescing.Telemetry;

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

    // A released key that is a struct with references looks like another key, for example (null, 0).
    private static bool IsStructOfObjects => typeof(TKey).IsValueType && RuntimeHelpers.IsReferenceOrContainsReferences<TKey>();

    /// <summary>
    /// Joins a caller without a token, without the gate. That is the usual case: the first subscriber is a shared wait, which a caller can enter exactly
    /// as long as the flight is current.
    /// </summary>
    /// <returns>The shared wait. Null if the caller must take another way.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public SharedWait<TResult>? TryEnter<TResult>()
    {
        if (FindShared<TResult>() is not { } shared || shared.Enter() is not (> 0 and var ordinal)) return null;
        ReportJoin(ordinal);
        return shared;
    }

    /// <summary>Does the same for a caller whose wait is measured.</summary>
    /// <returns>The task that the caller shares with others. Null if the caller must take another way.</returns>
    public Task<TResult>? TryShare<TResult>(CallerWaits waits)
    {
        if (FindShared<TResult>() is not { } shared) return null;
        if (waits.NowOrNull() is not { } start) return TryEnter<TResult>()?.Task;
        var task = MeasuredCrowd.Enter(waits, shared, start, out var ordinal);
        if (task is not null) ReportJoin(ordinal);
        return task;
    }

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private SharedWait<TResult>? FindShared<TResult>() =>
        Volatile.Read(ref First) is { IsShared: true } first && first.GetType() == typeof(SharedWait<TResult>) && FlightScope.Current is null && Table.CanShare(this)
            ? Unsafe.As<SharedWait<TResult>>(first)
            : null;
}
