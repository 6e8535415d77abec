using System.Diagnostics;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>An engine with a million flights in the air. While something looks at all of them or ends all of them, a thread joins and takes off, and each of its calls is timed.</summary>
public sealed class MillionFlights
{
    public const int Flights = 1_000_000;

    public static readonly TimeSpan Watch = TimeSpan.FromSeconds(1);

    /// <summary>Times calls beside an action.</summary>
    /// <param name="expires">Whether the flights expire, all at once, while the action runs.</param>
    /// <param name="action">Runs on a thread of its own. It gets the engine and the calls that wait for the flights.</param>
    /// <returns>The durations of the calls, sorted.</returns>
    public static TimeSpan[] TimeCallsBeside(bool expires, Action<Singleflight<int>, ValueTask<int>[]> action)
    {
        var clock = new JumpingClock();
        var options = new SingleflightOptions { TimeProvider = clock, MaxDuration = expires ? TimeSpan.FromSeconds(4) : TimeSpan.FromMinutes(10), IsReported = false };
        var singleflight = new Singleflight<int>(options);
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Func<CancellationToken, ValueTask<int>> work = _ => new ValueTask<int>(end.Task);
        var calls = new ValueTask<int>[Flights];
        for (var key = 0; key < Flights; key++) calls[key] = singleflight.ExecuteAsync(key, work);
        GC.Collect();

        var isOver = false;
        var times = new List<long>(20_000_000);
        var caller = new Thread(() =>
        {
            var random = new Random(1);
            var own = Flights;
            while (!Volatile.Read(ref isOver))
            {
                // Every second call joins a flight in the air, and the others take off and land at once.
                var join = times.Count % 2 == 0;
                var start = Stopwatch.GetTimestamp();
                if (join) _ = singleflight.ExecuteAsync(random.Next(Flights), work);
                else _ = singleflight.ExecuteAsync(own++, static _ => new ValueTask<int>(1));
                times.Add(Stopwatch.GetTimestamp() - start);
            }
        });
        if (expires) clock.Jump(options.MaxDuration * 2); // the timers fire within the next seconds, and find all flights overdue
        caller.Start();
        action(singleflight, calls);
        Volatile.Write(ref isOver, true);
        caller.Join();
        end.SetResult(0);
        return [.. times.Order().Select(ticks => Stopwatch.GetElapsedTime(0, ticks))];
    }

    /// <summary>The system's clock, which can be set forward.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private long _offset;

        public void Jump(TimeSpan by) => Interlocked.Add(ref _offset, (long)(by.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _offset);
    }
}
