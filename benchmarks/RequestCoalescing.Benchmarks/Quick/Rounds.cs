using System.Diagnostics;
using RequestCoalescing.Benchmarks.Peers;
using RequestCoalescing.Benchmarks.Scenarios;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>One round of each scenario: takes the number of threads and returns what it measures.</summary>
internal static class Rounds
{
    public static bool WarmsUp(string scenario) => !scenario.StartsWith("million", StringComparison.Ordinal) && scenario != "memory";

    public static Func<int, double[]> Of(string scenario, string peer) => scenario switch
    {
        "leader" => Lead(Peer.Named(peer), withToken: false),
        "leader, token" => Lead(Peer.Named(peer), withToken: true),
        "follower" => Join(Peer.Named(peer), withTokens: false),
        "follower, token" => Join(Peer.Named(peer), withTokens: true),
        "landing" => Land(Peer.Named(peer)),
        "memory" => _ => [KeysInFlight.MeasureBytesPerKey(Peer.Named(peer))],
        "keys" => LeadOnThreads(Peer.Named(peer)),
        "computing" => Time(static threads => ThroughputBenchmarks.Calibrate(threads, allocates: false)),
        "allocating" => Time(static threads => ThroughputBenchmarks.Calibrate(threads, allocates: true)),
        "hot" => JoinHotKey(Peer.Named(peer), withTokens: false),
        "hot, tokens" => JoinHotKey(Peer.Named(peer), withTokens: true),
        "leaving" => Leave(Peer.Named(peer)),
        "million" => _ => Beside(expires: false, static (_, _) => Thread.Sleep(MillionFlights.Watch)),
        "million, looks" => _ => Beside(expires: false, static (singleflight, _) =>
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < MillionFlights.Watch;) singleflight.GetStats();
        }),
        "million, clear" => _ => Beside(expires: false, static (singleflight, _) => singleflight.Clear()),
        "million, expiry" => _ => Beside(expires: true, static (_, calls) =>
        {
            // Not by statistics: a look at them is a scenario of its own.
            foreach (ref readonly var call in calls.AsSpan())
            {
                while (!call.IsCompleted) Thread.Sleep(10);
            }
        }),
        _ => throw new ArgumentException($"There is no scenario '{scenario}'."),
    };

    /// <summary>Measures operations.</summary>
    public static QuickResult Measure(int operations, Action action)
    {
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        var start = Stopwatch.GetTimestamp();
        action();
        var elapsed = Stopwatch.GetElapsedTime(start);
        bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
        return new QuickResult(elapsed.TotalNanoseconds / operations, (double)bytes / operations);
    }

    // Nanoseconds and bytes.
    private static Func<int, double[]> Lead(Peer peer, bool withToken)
    {
        const int Repeats = 20;
        var scenario = new LeaderBenchmarks { Token = withToken };
        return _ => Figures(Measure(Repeats * LeaderBenchmarks.Calls, () =>
        {
            for (var repeat = 0; repeat < Repeats; repeat++) scenario.LeadAsync(peer).GetAwaiter().GetResult();
        }));
    }

    private static Func<int, double[]> Join(Peer peer, bool withTokens)
    {
        var burst = new Burst(FollowerBenchmarks.Followers);
        return _ =>
        {
            burst.Begin(peer, withTokens);
            var result = Measure(FollowerBenchmarks.Followers, burst.Join);
            burst.End();
            return Figures(result);
        };
    }

    private static Func<int, double[]> Land(Peer peer)
    {
        var burst = new Burst(LandingBenchmarks.Followers);
        return _ =>
        {
            burst.Begin(peer, withTokens: true);
            burst.JoinAwaiting();
            return Figures(Measure(1, burst.Land));
        };
    }

    // Nanoseconds a join.
    private static Func<int, double[]> JoinHotKey(Peer peer, bool withTokens)
    {
        var scenario = new HotKey();
        return threads => [scenario.Run(peer, threads, withTokens)];
    }

    // See Leaving.Run.
    private static Func<int, double[]> Leave(Peer peer)
    {
        var scenario = new Leaving();
        return _ =>
        {
            var (join, leave, fire) = scenario.Run(peer);
            return [join, leave, fire];
        };
    }

    private static Func<int, double[]> LeadOnThreads(Peer peer) => Time(threads => new ThroughputBenchmarks { Threads = threads }.Lead(peer));

    // Seconds.
    private static Func<int, double[]> Time(Action<int> run) => threads =>
    {
        var start = Stopwatch.GetTimestamp();
        run(threads);
        return [Stopwatch.GetElapsedTime(start).TotalSeconds];
    };

    // The number of calls, and the microseconds of the median, of the one that 999 of 1,000 do not exceed, and of the longest.
    private static double[] Beside(bool expires, Action<Singleflight<int>, ValueTask<int>[]> action)
    {
        var times = MillionFlights.TimeCallsBeside(expires, action);
        return [times.Length, times[times.Length / 2].TotalMicroseconds, times[(int)(times.Length * 0.999)].TotalMicroseconds, times[^1].TotalMicroseconds];
    }

    private static double[] Figures(QuickResult result) => [result.Nanoseconds, result.Bytes];
}
