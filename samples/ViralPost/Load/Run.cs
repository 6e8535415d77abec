using ViralPost.Data;

namespace ViralPost.Load;

/// <summary>A run of one strategy under one load, and its figures.</summary>
internal sealed class Run(Scenario scenario, string strategy, Door? door)
{
    private readonly double[] _milliseconds = new double[scenario.Requests];
    private int _answered;
    private int _failures;
    private long _lastSentTicks;

    public Scenario Scenario { get; } = scenario;

    public string Strategy { get; } = strategy;

    /// <summary>When the door of a burst opened. 0 without a door.</summary>
    public long OpenedAt => door?.OpenedAt ?? 0;

    /// <summary>The requests that have succeeded so far.</summary>
    public int Answered => Volatile.Read(ref _answered);

    /// <summary>The time from the first request to the last answer. Set when the run has ended.</summary>
    public TimeSpan Elapsed { get; set; }

    /// <summary>Records that a request has got its connection.</summary>
    public void RecordSent(TimeSpan sinceStart) => InterlockedMax(ref _lastSentTicks, sinceStart.Ticks);

    public void Record(int request, TimeSpan latency, bool isAnswered)
    {
        _milliseconds[request] = latency.TotalMilliseconds;
        Interlocked.Increment(ref isAnswered ? ref _answered : ref _failures);
    }

    public RunResult ToResult(QueryCounts counts, int fetches)
    {
        Array.Sort(_milliseconds);
        return new RunResult(
            Scenario.Name,
            Strategy,
            Scenario.Requests,
            counts.Queries,
            fetches,
            counts.MostInFlight,
            Math.Round(counts.Busy.TotalMilliseconds),
            Math.Round(Percentile(0.50), 1),
            Math.Round(Percentile(0.99), 1),
            Math.Round(_milliseconds[^1], 1),
            _failures,
            Math.Round((door?.EnteredWithin ?? TimeSpan.FromTicks(_lastSentTicks)).TotalMilliseconds),
            Math.Round(Scenario.Requests / Elapsed.TotalSeconds));
    }

    private static void InterlockedMax(ref long most, long value)
    {
        var seen = Volatile.Read(ref most);
        while (value > seen)
        {
            var before = Interlocked.CompareExchange(ref most, value, seen);
            if (before == seen) return;
            seen = before;
        }
    }

    private double Percentile(double part) => _milliseconds[(int)Math.Ceiling(part * _milliseconds.Length) - 1];
}
