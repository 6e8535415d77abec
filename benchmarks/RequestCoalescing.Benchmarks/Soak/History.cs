using System.Collections.Concurrent;

namespace RequestCoalescing.Benchmarks.Soak;

/// <summary>The outcomes of all calls, and for each key the last run that had begun before it was last forgotten.</summary>
public sealed class History
{
    private readonly long[] _forgottenRuns = new long[SoakRun.Keys];
    private readonly ConcurrentQueue<string> _errors = new();
    private long _runs;
    private long _calls;
    private long _values;
    private long _failures;
    private long _left;
    private long _timeouts;

    public long Calls => Volatile.Read(ref _calls);

    public long Left => Volatile.Read(ref _left);

    public long BeginRun() => Interlocked.Increment(ref _runs);

    /// <summary>The number of the last run. Every run up to it has begun.</summary>
    public long LastRun => Volatile.Read(ref _runs);

    /// <summary>Draws a line after a forget: runs up to this one may not reach a caller that comes later.</summary>
    public void Forgotten(int key, long lastRun)
    {
        for (var line = Volatile.Read(ref _forgottenRuns[key]); line < lastRun;)
        {
            var found = Interlocked.CompareExchange(ref _forgottenRuns[key], lastRun, line);
            if (found == line) return;
            line = found;
        }
    }

    /// <summary>A call begins.</summary>
    /// <returns>The run that its outcome must be later than.</returns>
    public long BeginCall(int key)
    {
        Interlocked.Increment(ref _calls);
        return Volatile.Read(ref _forgottenRuns[key]);
    }

    public void GotValue(int key, (int Key, long Run) value, long line)
    {
        Interlocked.Increment(ref _values);
        if (value.Key != key) _errors.Enqueue($"A caller of key {key} got the result of key {value.Key}.");
        if (value.Run <= line) _errors.Enqueue($"A caller that came after a forget got the result of run {value.Run}, which began before run {line} ended the forget.");
    }

    public void GotFailure() => Interlocked.Increment(ref _failures);

    public void HasLeft() => Interlocked.Increment(ref _left);

    public void TimedOut() => Interlocked.Increment(ref _timeouts);

    public void Fault(string error) => _errors.Enqueue(error);

    /// <summary>Compares the outcomes with the engine's own counts.</summary>
    /// <returns>What does not agree.</returns>
    public List<string> Check(SingleflightStats stats)
    {
        List<string> errors = [.. _errors.Take(20)];
        Expect("calls", _calls, stats.Calls);
        Expect("outcomes", _calls, _values + _failures + _left + _timeouts);
        Expect("calls that led or joined", stats.Calls, stats.Flights - stats.Elections + stats.Coalesced);
        Expect("flights that ended", stats.Flights, stats.Succeeded + stats.Failed + stats.Cancelled + stats.TimedOut + stats.Elections);
        var unstarted = stats.Flights - _runs; // all callers of an election may leave before its work starts
        if (unstarted < 0 || unstarted > stats.Elections) errors.Add($"runs of work: {_runs:N0}, with {stats.Flights:N0} flights and {stats.Elections:N0} elections.");
        Expect("subscribers", 0, stats.TotalSubscribers);
        Expect("flights in the air", 0, stats.InFlightCount);
        Expect("abandoned runs", 0, stats.AbandonedCount);
        return errors;

        void Expect(string name, long expected, long actual)
        {
            if (expected != actual) errors.Add($"{name}: expected {expected:N0}, counted {actual:N0}.");
        }
    }
}
