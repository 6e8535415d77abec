using System.Diagnostics;
using System.Numerics;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Batching;

/// <summary>Slots that have taken off together: one call of the backend, or several if a failed call is bisected.</summary>
/// <remarks>
/// It runs on the thread pool without the context of any caller. It ends when its last call has ended, whoever waits.
/// It is the source of the call's token, and never disposed of, because a slot may leave at any time.
/// </remarks>
internal sealed class Batch<TKey, TValue>(BatchQueue<TKey, TValue> queue, Slot<TKey, TValue>[] slots, bool isAlone) : CancellationTokenSource, IThreadPoolWorkItem
    where TKey : notnull
{
    private readonly Dictionary<TKey, Slot<TKey, TValue>> _byKey = new(queue.Comparer);
    private readonly BatchTelemetry _telemetry = queue.Telemetry;
    private int _open = slots.Length; // slots that a caller waits for, and that have no outcome yet
    private int _unanswered = slots.Length;
    private int _moreCalls;
    private volatile bool _hasReturned;

    /// <summary>Whether it is the batch of one key past a limit.</summary>
    public bool IsAlone => isAlone;

    /// <summary>When it took off. Zero if the waits of its keys are not measured.</summary>
    public long TakenOffAt { get; init; }

    public void Execute() => _ = RunAsync();

    /// <summary>One of the slots has its outcome, or no caller waits for it any more. If that holds for all and keys are unanswered, the rest of the call is not needed.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _open) == 0) StopIfUnwanted();
    }

    /// <summary>The backend has returned. There is nothing to cancel any more, although its answers may not have been taken yet.</summary>
    public void Return() => _hasReturned = true;

    /// <summary>Fires the token of the call. Callbacks run on the thread pool, and their errors belong to the code that registered them.</summary>
    public void Stop() => Outcome.ObserveAtEnd(CancelAsync());

    /// <summary>Takes the answer for a key.</summary>
    public void Answer(TKey key, in BatchOutcome<TValue> outcome)
    {
        if (!_byKey.TryGetValue(key, out var slot)) _telemetry.CountUnasked();
        else if (!TryComplete(slot, outcome)) _telemetry.CountDuplicate();
    }

    private void StopIfUnwanted()
    {
        if (Volatile.Read(ref _open) == 0 && Volatile.Read(ref _unanswered) > 0 && !_hasReturned) Stop();
    }

    private async Task RunAsync()
    {
        WaitGraph.Batch? waits = null;
        try
        {
            Measure();
            var asked = Merge();
            if (asked.Length == 0) return;
            _telemetry.CountKeys(asked.Length);
            if (queue.Options.BisectsFailures) _moreCalls = 2 * BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)asked.Length));

            // The call is part of the work of one flight, and the others wait for that one. So a call that waits for one of its own keys is found.
            var flights = slots.Select(static slot => slot.Flight).OfType<Flight>().ToArray();
            if (flights is [var runner, ..])
            {
                FlightScope.Enter(runner);
                waits = WaitGraph.AddBatch(runner, flights);
            }

            await LoadAsync(asked).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            foreach (var slot in slots) TryComplete(slot, new BatchOutcome<TValue> { Error = exception }); // the comparison of keys failed
        }
        finally
        {
            if (waits is not null) WaitGraph.Remove(waits);
            queue.OnEnded(this);
        }
    }

    private void Measure()
    {
        if (TakenOffAt == 0) return;
        foreach (var slot in slots) _telemetry.Waited(queue.Clock.GetElapsedTime(slot.QueuedAt, TakenOffAt));
    }

    /// <summary>Leaves out slots that no caller waits for, and makes one of those with equal keys.</summary>
    private Slot<TKey, TValue>[] Merge()
    {
        var asked = new List<Slot<TKey, TValue>>(slots.Length);
        foreach (var slot in slots)
        {
            if (slot.Task.IsCompleted)
            {
                Interlocked.Decrement(ref _unanswered);
                _telemetry.CountLeftOut();
            }
            else if (_byKey.TryGetValue(slot.Key, out var first))
            {
                (slot.Twin, first.Twin) = (first.Twin, slot);
            }
            else
            {
                _byKey.Add(slot.Key, slot);
                asked.Add(slot);
            }
        }

        return [.. asked];
    }

    private async Task LoadAsync(ReadOnlyMemory<Slot<TKey, TValue>> asked)
    {
        var keys = new TKey[asked.Length];
        for (var i = 0; i < keys.Length; i++) keys[i] = asked.Span[i].Key;
        var answer = new BatchAnswer<TKey, TValue>(this);
        var span = _telemetry.Start(keys.Length, slots.Select(static slot => slot.Span).OfType<Activity>());
        Exception? error = null;
        if (_hasReturned)
        {
            _hasReturned = false;
            Interlocked.MemoryBarrier();
            StopIfUnwanted(); // the last slot may have been left between two calls
        }

        try
        {
            var call = queue.Load(keys, answer, Token) ?? throw new InvalidOperationException("The load returned null. It must return a task.");
            await call.ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            error = exception;
        }

        Return();
        answer.Close();
        var open = Unanswered(asked);
        if (IsCancellationRequested) error ??= new OperationCanceledException("The call of the batch was cancelled, and has not answered this key.", Token); // it may have stopped half-way
        _telemetry.End(span, error is null ? open.Length : 0, IsCancellationRequested, error);
        if (error is null || open.Length < 2 || _moreCalls == 0)
        {
            Complete(open, error);
            return;
        }

        var half = (open.Length + 1) / 2;
        await LoadAgainAsync(open.AsMemory(0, half), error).ConfigureAwait(false);
        await LoadAgainAsync(open.AsMemory(half), error).ConfigureAwait(false);
    }

    private Task LoadAgainAsync(ReadOnlyMemory<Slot<TKey, TValue>> half, Exception error)
    {
        if (_moreCalls > 0 && Volatile.Read(ref _open) > 0 && !IsCancellationRequested)
        {
            _moreCalls--;
            return LoadAsync(half);
        }

        Complete(half.Span, error);
        return Task.CompletedTask;
    }

    private static Slot<TKey, TValue>[] Unanswered(ReadOnlyMemory<Slot<TKey, TValue>> asked)
    {
        var open = new List<Slot<TKey, TValue>>();
        foreach (var slot in asked.Span)
        {
            if (!slot.IsAnswered) open.Add(slot);
        }

        return [.. open];
    }

    // Without an error, the keys are missing.
    private void Complete(ReadOnlySpan<Slot<TKey, TValue>> open, Exception? error)
    {
        foreach (var slot in open) TryComplete(slot, new BatchOutcome<TValue> { Error = error });
    }

    private bool TryComplete(Slot<TKey, TValue> slot, in BatchOutcome<TValue> outcome)
    {
        if (!slot.TryAnswer()) return false;
        _telemetry.Count(outcome);
        for (var each = slot; each is not null; each = each.Twin) Interlocked.Decrement(ref _unanswered);
        for (var each = slot; each is not null; each = each.Twin)
        {
            var isFirst = outcome.Error is { } error ? each.TrySetException(error) : each.TrySetResult(outcome);
            if (isFirst) Leave();
        }

        return true;
    }
}
