using System.Collections.Concurrent;

namespace RequestCoalescing.Tests;

/// <summary>64 threads use one gate, and every event of a flight happens at random. Afterwards, all counts must add up.</summary>
public sealed class StressTests
{
    private const int Threads = 64;
    private const int CallsPerThread = 300;

    private static readonly TimeSpan s_maxDuration = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longerThanThat = TimeSpan.FromMilliseconds(30);

    private readonly TimerCountingTimeProvider _clock = new();
    private readonly ConcurrentDictionary<string, int> _outcomes = new();
    private readonly CancellationTokenSource[] _sources = [.. Enumerable.Range(0, 256).Select(_ => new CancellationTokenSource())];
    private int _moment;

    [Theory]
    [InlineData(1, int.MaxValue, OverflowBehavior.Reject)]
    [InlineData(1, 20, OverflowBehavior.Reject)]
    [InlineData(1, 20, OverflowBehavior.RunAlone)]
    [InlineData(500, int.MaxValue, OverflowBehavior.Reject)]
    [InlineData(500, 16, OverflowBehavior.Reject)]
    [InlineData(500, 16, OverflowBehavior.RunAlone)]
    public async Task Every_caller_gets_one_outcome_of_a_run_that_it_may_share_and_nothing_is_left(int keys, int limit, OverflowBehavior overflow)
    {
        var singleflight = new Singleflight<int>(new SingleflightOptions
        {
            MaxDuration = s_maxDuration,
            MaxSubscribers = limit,
            MaxInFlight = limit,
            Overflow = overflow,
            TimeProvider = _clock,
        });
        var forgottenAt = new int[keys];
        Crowd.Run(Threads, thread =>
        {
            var random = new Random(thread);
            for (var call = 0; call < CallsPerThread; call++)
            {
                var key = random.Next(keys);
                switch (random.Next(20))
                {
                    case 0:
                        Forget(singleflight, key, ref forgottenAt[key]);
                        break;
                    case 1:
                        singleflight.Clear();
                        break;
                    case 2 or 3:
                        Replace(random.Next(_sources.Length)).Cancel();
                        break;
                }

                var token = random.Next(3) == 0 ? default : Volatile.Read(ref _sources[random.Next(_sources.Length)]).Token;
                Call(singleflight, key, random.Next(100), token, ref forgottenAt[key]);
            }
        });

        await Patience.UntilAsync(() => singleflight.GetStats() is { InFlightCount: 0, AbandonedCount: 0 }, "all work has ended");
        var stats = singleflight.GetStats();
        Assert.Equal(Threads * CallsPerThread, _outcomes.Values.Sum());
        var uncounted = _outcomes.GetValueOrDefault("cancelled on arrival"); // at least, because a token may have fired during the call
        Assert.InRange((Threads * CallsPerThread) - stats.Calls, uncounted, uncounted + _outcomes["cancelled"]);
        Assert.Equal(_outcomes.GetValueOrDefault("rejected"), stats.Rejected);
        Assert.Equal(0, stats.TotalSubscribers);
        Assert.Null(stats.OldestCallAge);
        Assert.Equal(0, _clock.SetTimers);
        foreach (var kind in new[] { "value", "failure", "cancelled", "timeout" }) Assert.True(_outcomes.ContainsKey(kind), $"No outcome was of the kind '{kind}', so that the test covers too little.");

        await singleflight.DisposeAsync().AsTask().SoonAsync();
    }

    private void Call(Singleflight<int> singleflight, int key, int dice, CancellationToken token, ref int forgottenAt)
    {
        var isCancelledOnArrival = token.IsCancellationRequested;
        var line = Volatile.Read(ref forgottenAt);
        var arrival = Interlocked.Increment(ref _moment);
        try
        {
            var run = singleflight.ExecuteAsync(key, (Test: this, Dice: dice), static (call, flight) => call.Test.WorkAsync(call.Dice, flight), token)
                .AsTask().WaitAsync(Patience.Limit).GetAwaiter().GetResult();
            Check(run, arrival, line);
            Count("value");
        }
        catch (RunFailedException failure)
        {
            Check(failure.Run, arrival, line);
            Count("failure");
        }
        catch (FlightTimeoutException)
        {
            Count("timeout");
        }
        catch (FlightRejectedException)
        {
            Count("rejected");
        }
        catch (OperationCanceledException cancellation)
        {
            Assert.True(token.IsCancellationRequested, "The caller did not cancel.");
            Assert.Equal(token, cancellation.CancellationToken);
            Count(isCancelledOnArrival ? "cancelled on arrival" : "cancelled");
        }
    }

    private async ValueTask<StressRun> WorkAsync(int dice, FlightContext flight)
    {
        var run = new StressRun(Interlocked.Increment(ref _moment));
        if (dice < 25) return run;
        if (dice < 35) throw new RunFailedException(run);
        await Task.Yield();
        if (dice < 75) return run;
        if (dice < 90) throw new RunFailedException(run);
        if (dice < 98)
        {
            // Hangs until its token fires, which happens even if all its callers leave.
            var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = flight.CancellationToken.UnsafeRegister(static fired => ((TaskCompletionSource)fired!).SetResult(), fired);
            await fired.Task;
            throw new OperationCanceledException(flight.CancellationToken);
        }

        await Task.Delay(s_longerThanThat); // ignores its token
        return run;
    }

    private void Check(StressRun run, int arrival, int line)
    {
        var seenAt = run.SeeAt(() => Interlocked.Increment(ref _moment));
        Assert.True(seenAt > arrival, "The outcome had been read before this call began.");
        Assert.True(run.StartedAt > line, "The run had been forgotten before this call began.");
    }

    private void Forget(Singleflight<int> singleflight, int key, ref int forgottenAt)
    {
        var before = Interlocked.Increment(ref _moment);
        singleflight.Forget(key);
        for (var line = Volatile.Read(ref forgottenAt); line < before;)
        {
            var found = Interlocked.CompareExchange(ref forgottenAt, before, line);
            if (found == line) break;
            line = found;
        }
    }

    private CancellationTokenSource Replace(int source) => Interlocked.Exchange(ref _sources[source], new CancellationTokenSource());

    private void Count(string outcome) => _outcomes.AddOrUpdate(outcome, 1, static (_, count) => count + 1);

    private sealed class StressRun(int startedAt)
    {
        private int _seenAt;

        public int StartedAt { get; } = startedAt;

        /// <summary>The moment at which a caller first read the outcome.</summary>
        public int SeeAt(Func<int> now)
        {
            if (Volatile.Read(ref _seenAt) == 0) Interlocked.CompareExchange(ref _seenAt, now(), 0);
            return Volatile.Read(ref _seenAt);
        }
    }

    private sealed class RunFailedException(StressRun run) : Exception
    {
        public StressRun Run { get; } = run;
    }
}
