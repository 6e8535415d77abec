namespace RequestCoalescing;

/// <summary>The counts of a <see cref="BatchLoader{TKey, TValue}"/>. Those of its callers are in <see cref="ISingleflight{TKey}.GetStats"/> of its <see cref="BatchLoader{TKey, TValue}.Singleflight"/>.</summary>
public readonly record struct BatchLoaderStats
{
    /// <summary>Keys that wait for the take-off of their batch now.</summary>
    public int Pending { get; init; }

    /// <summary>Batches that run now. A batch runs until its call has really ended, even if no caller waits for it.</summary>
    public int Running { get; init; }

    /// <summary>Calls of the backend since the start. Those that bisect a failed batch are included.</summary>
    public long Calls { get; init; }

    /// <summary>Calls that failed.</summary>
    public long FailedCalls { get; init; }

    /// <summary>Calls that ended after they had been cancelled, because no caller waited any more.</summary>
    public long CancelledCalls { get; init; }

    /// <summary>Keys of all batches that have taken off. A key that is asked for again to bisect a failed batch counts once.</summary>
    public long Keys { get; init; }

    /// <summary>Keys that the backend answered with a value.</summary>
    public long Found { get; init; }

    /// <summary>Keys that the backend did not answer.</summary>
    public long Missing { get; init; }

    /// <summary>Keys that ended with an error, those of cancelled calls included.</summary>
    public long Failed { get; init; }

    /// <summary>Answers for keys that had been answered already. The first answer counts.</summary>
    public long Duplicates { get; init; }

    /// <summary>Answers for keys that were not asked.</summary>
    public long Unasked { get; init; }

    /// <summary>Keys that no caller waited for any more before their batch took off.</summary>
    public long LeftOut { get; init; }
}
