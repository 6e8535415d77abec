using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Engine;

/// <summary>
/// The part of the engine for some of the keys. It joins a caller to the current flight of its key, or lets a new flight take off. The current
/// flights are the nodes of its hash table, so that a look-up and the registration after it hash once and allocate nothing.
/// </summary>
/// <remarks>
/// The high bits of a hash choose the shard, and its low bits the bucket. For a string, each bit depends on all characters (<see cref="StringHash"/>). For
/// any other key, each bit depends on all bits of the key's own hash (<see cref="HashMix"/>). Otherwise keys that differ in a few bits only, multiples of 4,096 for example, would meet in a few buckets.
/// </remarks>
internal sealed partial class Shard<TKey>(Settings settings, IEqualityComparer<TKey> comparer) : Shard(settings)
    where TKey : notnull
{
    /// <summary>Joins a caller to the current flight of the key, or lets one take off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every call between generic methods costs a look-up
    public ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        // The usual join of a caller without a token needs no gate.
        var found = Peek(key, hash);
        if (!cancellationToken.CanBeCanceled && found?.TryEnter<TResult>() is { } shared) return new(shared.Task);
        JoinOrLead(found, key, hash, state, work, default, cancellationToken, out var call);
        return call;
    }

    /// <summary>Does the same for a caller whose wait may be measured.</summary>
    public ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CallerWait wait,
        CancellationToken cancellationToken)
    {
        JoinOrLead(Peek(key, hash), key, hash, state, work, wait, cancellationToken, out var call);
        return call;
    }

    /// <summary>Joins a caller without a token, if that needs no gate. Otherwise returns null.</summary>
    public SharedWait<TResult>? TryEnter<TResult>(TKey key, uint hash) => Peek(key, hash)?.TryEnter<TResult>();

    /// <summary>Joins a caller without a token, whose wait is measured, if that needs no gate. Otherwise returns null.</summary>
    public Task<TResult>? TryShare<TResult>(TKey key, uint hash, CallerWaits waits) => Peek(key, hash)?.TryShare<TResult>(waits);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void JoinOrLead<TState, TResult>(
        Flight<TKey>? found,
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CallerWait wait,
        CancellationToken cancellationToken,
        out ValueTask<TResult> call)
    {
        ThrowIfComparing();
        while (true)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                call = wait.For(ValueTask.FromCanceled<TResult>(cancellationToken));
                return;
            }

            // A flight that was found may be closed by now. The join finds out.
            if (found is Flight<TKey, TResult> current && current.TryJoin(state, work, wait, cancellationToken, out call)) return;

            Flight<TKey, TResult>? flight;
            FlightRejectedException? rejection;
            lock (Gate)
            {
                found = Find(key, hash);
                if (found is Flight<TKey, TResult> && CanJoin(found)) continue;
                flight = Admit<TResult>(key, hash, found, out rejection);
            }

            call = wait.For(flight is null ? new(Outcome.Failed<TResult>(rejection!)) : flight.TakeOff(state, work, cancellationToken));
            return;
        }
    }

    /// <summary>Whether a current flight may be joined. Under the gate.</summary>
    public bool CanJoin(Flight<TKey> current) =>
        current.SubscriberCount < Settings.MaxSubscribers &&
        (Settings.Drain is null || IsAdmitted(out _)) &&
        IsInWindow(current);

    /// <summary>Whether a caller may try to join a flight without the gate. It may not if a limit or a drain must be checked under the gate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // as Turnstile.Enter
    public bool CanShare(Flight current) =>
        Settings.MaxSubscribers == int.MaxValue &&
        Settings.Drain is null &&
        (Settings.JoinWindowTicks == long.MaxValue || IsInWindow(current));

    /// <summary>Runs work in a flight that no other caller joins, regardless of the limits: for a call that runs alone, or for a verification.</summary>
    public ValueTask<TResult> ExecuteAlone<TState, TResult>(
        TKey key,
        uint hash,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        bool verifies,
        CancellationToken cancellationToken)
    {
        Flight<TKey, TResult>? flight = null;
        FlightRejectedException? rejection = null;
        ThrowIfComparing();
        lock (Gate)
        {
            if (IsAdmitting(out var epoch))
            {
                var now = Settings.Clock.GetTimestamp();
                flight = new Flight<TKey, TResult>(this, key, hash) { IsAlone = true };
                AddAirborne(flight, epoch, now);
                if (verifies) Counters.Verifications++;
                else Counters.Alone++;
            }
            else
            {
                rejection = Rejection(key, FlightRejectionReason.Draining, 0);
                if (verifies) Counters.Rejected--; // a verification is not a call
            }
        }

        return flight is null ? new(Outcome.Failed<TResult>(rejection!)) : flight.TakeOff(state, work, cancellationToken);
    }

    public bool Forget(TKey key, uint hash)
    {
        ThrowIfComparing();
        lock (Gate)
        {
            if (Find(key, hash) is not { } flight) return false;
            Remove(flight);
            return true;
        }
    }

    [DoesNotReturn]
    private static void ThrowClosed() => ObjectDisposedException.ThrowIf(true, typeof(Singleflight<TKey>));

    private static InvalidOperationException OtherType<TResult>(Flight<TKey> current) =>
        new($"The running work for this key returns a {current.ResultType}, and this call asks for a {typeof(TResult)}. Calls with equal keys must ask for the same type of result. Use another key, or another instance.");

    // The timer is set only while a caller waits. A flight whose leader is still in the first steps of its work may be overdue without having expired.
    private bool IsInWindow(Flight current)
    {
        if (IsTimed && Settings.JoinWindowTicks == long.MaxValue) return true;
        var age = Settings.Clock.GetTimestamp() - current.TakenOffAt;
        return age <= Settings.JoinWindowTicks && (age < Settings.MaxDurationTicks || current.IsStreaming);
    }

    private bool IsAdmitting(out int epoch)
    {
        if (Settings.IsClosed) ThrowClosed();
        return IsAdmitted(out epoch);
    }

    private FlightRejectedException Rejection(TKey key, FlightRejectionReason reason, int limit, Flight? current = null)
    {
        Counters.Rejected++;
        var age = current is null ? default(TimeSpan?) : Settings.Clock.GetElapsedTime(current.TakenOffAt);
        return new FlightRejectedException(Settings.Name, Settings.LabelOf(key), reason, limit, age, current?.SubscriberCount);
    }

    // Returns a flight that takes off now, for a caller that cannot join one, or null if a limit refuses it. Not inlined, because most callers join.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Flight<TKey, TResult>? Admit<TResult>(TKey key, uint hash, Flight<TKey>? current, out FlightRejectedException? rejection)
    {
        rejection = null;
        if (!IsAdmitting(out var epoch))
        {
            rejection = Rejection(key, FlightRejectionReason.Draining, 0);
            return null;
        }

        var now = Settings.Clock.GetTimestamp(); // before anything has changed: a clock may throw
        if (current is not null && current.ResultType != typeof(TResult)) throw OtherType<TResult>(current);

        var isFull = current is not null && IsInWindow(current);
        if (current is not null) EnsureTimer(); // if it is superseded, it flies no longer than it may
        var takesSlot = Settings.LimitsInFlight; // read once, because it may change at any moment
        var hasSlot = !isFull && takesSlot && Settings.TryTakeSlot();
        var isOver = isFull || (takesSlot && !hasSlot);
        if (isOver && Settings.Overflow == OverflowBehavior.Reject)
        {
            rejection = isFull
                ? Rejection(key, FlightRejectionReason.MaxSubscribers, Settings.MaxSubscribers, current)
                : Rejection(key, FlightRejectionReason.MaxInFlight, Settings.MaxInFlight);
            return null;
        }

        var flight = new Flight<TKey, TResult>(this, key, hash) { HasSlot = hasSlot, IsAlone = isOver };
        if (isOver)
        {
            Counters.Alone++;
        }
        else
        {
            if (current is not null) Remove(current); // superseded: it flies on for the subscribers that it has
            Add(flight);
        }

        AddAirborne(flight, epoch, now);
        return flight;
    }
}
