using System.Diagnostics;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Batching;

/// <summary>The place of one key in a batch. The work of the key's flight waits for it.</summary>
internal sealed class Slot<TKey, TValue>(TKey key) : TaskCompletionSource<BatchOutcome<TValue>>(TaskCreationOptions.RunContinuationsAsynchronously)
    where TKey : notnull
{
    private bool _isAnswered;

    public TKey Key => key;

    /// <summary>The flight whose work waits. Null if there is none in this process, or if it does not detect deadlocks.</summary>
    public Flight? Flight { get; } = FlightScope.Current is { Shard.Settings.DetectDeadlocks: true } flight ? flight : null;

    /// <summary>The span of that flight.</summary>
    public Activity? Span { get; } = BatchTelemetry.Caller;

    // The queue's gate guards these until the take-off.
    public SlotState State { get; set; }

    public long QueuedAt { get; set; }

    public Slot<TKey, TValue>? Previous { get; set; }

    public Slot<TKey, TValue>? Next { get; set; }

    /// <summary>The batch that the slot has taken off with.</summary>
    public Batch<TKey, TValue>? Batch { get; set; }

    /// <summary>A slot of the same batch for an equal key: a key that was forgotten, or that runs alone in the eyes of the engine. Set before the backend is called.</summary>
    public Slot<TKey, TValue>? Twin { get; set; }

    public bool IsAnswered => Volatile.Read(ref _isAnswered);

    /// <returns>False if the key has been answered before.</returns>
    public bool TryAnswer() => !Interlocked.Exchange(ref _isAnswered, true);
}
