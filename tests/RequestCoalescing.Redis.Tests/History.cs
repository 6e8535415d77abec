using System.Collections.Concurrent;
using System.Globalization;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Records the events on all nodes, in the order of one counter, and checks that they were allowed.</summary>
internal sealed class History
{
    private const string Marker = "the error of run ";
    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly ConcurrentQueue<Run> _runs = new();
    private readonly ConcurrentQueue<Line> _lines = new();
    private long _now;
    private int _lastRun;

    public int Calls => _calls.Count;

    public int Runs => _runs.Count;

    /// <summary>Makes a call and records it with its outcome.</summary>
    public async Task CallAsync(ISingleflight singleflight, int node, string key, Func<CancellationToken, Task<bool>> work, CancellationToken cancellationToken)
    {
        var arrived = Now();
        var outcome = default(int?);
        try
        {
            outcome = await singleflight.ExecuteAsync(key, token => RunAsync(node, key, work, token), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (ClusterUnavailableException)
        {
            await Task.Yield();
        }
        catch (Exception error) when (error.Message.Contains(Marker, StringComparison.Ordinal))
        {
            outcome = int.Parse(error.Message[(error.Message.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
        }

        _calls.Enqueue(new Call(node, key, arrived, Now(), outcome));
    }

    public async Task ForgetAsync(RedisSingleflight singleflight, int node, string key)
    {
        var line = new Line(node, key, Now());
        var forget = singleflight.ForgetAsync(key);
        line.DrawnHere = Now();
        _lines.Enqueue(line);
        await forget.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (forget.IsCompletedSuccessfully) line.DrawnEverywhere = Now();
    }

    /// <summary>Asserts that no call got an outcome that was complete or forgotten before the call began.</summary>
    /// <param name="coalescesAlone">Whether nodes coalesce alone while they cannot reach the others. Such nodes miss forgets of the others.</param>
    public void AssertNoForeignOutcomes(bool coalescesAlone)
    {
        var runs = _runs.ToDictionary(run => run.Id);
        foreach (var sharing in _calls.Where(call => call.Run is not null).GroupBy(call => call.Run!.Value))
        {
            var run = runs[sharing.Key];
            var first = sharing.MinBy(call => call.Completed)!;
            foreach (var call in sharing)
            {
                Assert.True(call.Key == run.Key, $"{call} got the outcome of {run}, which is the outcome of another key.");
                Assert.True(call.Arrived < first.Completed, $"{call} got the outcome of {run}, which {first} had got before.");
                foreach (var line in _lines.Where(line => line.Key == call.Key && run.Started < line.Called))
                {
                    Assert.False(call.Node == line.Node && line.DrawnHere < call.Arrived, $"{call} got the outcome of {run}, which {line} had forgotten on its node.");
                    Assert.False(!coalescesAlone && line.DrawnEverywhere < call.Arrived, $"{call} got the outcome of {run}, which {line} had forgotten for the whole cluster.");
                }
            }
        }
    }

    /// <summary>Asserts that the runs of a key do not overlap.</summary>
    public void AssertOneRunAtATime()
    {
        foreach (var runs in _runs.GroupBy(run => run.Key))
        {
            foreach (var (run, next) in runs.OrderBy(run => run.Started).Zip(runs.OrderBy(run => run.Started).Skip(1)))
            {
                Assert.True(run.Ended < next.Started, $"{run} and {next} overlap.");
            }
        }
    }

    private async Task<int> RunAsync(int node, string key, Func<CancellationToken, Task<bool>> work, CancellationToken cancellationToken)
    {
        var run = new Run(Interlocked.Increment(ref _lastRun), node, key, Now());
        _runs.Enqueue(run);
        try
        {
            return await work(cancellationToken) ? run.Id : throw new InvalidTimeZoneException($"{Marker}{run.Id}");
        }
        finally
        {
            run.Ended = Now();
        }
    }

    private long Now() => Interlocked.Increment(ref _now);

    private sealed record Call(int Node, string Key, long Arrived, long Completed, int? Run);

    private sealed record Run(int Id, int Node, string Key, long Started)
    {
        public long Ended { get; set; } = long.MaxValue;
    }

    private sealed record Line(int Node, string Key, long Called)
    {
        public long DrawnHere { get; set; } = long.MaxValue;

        public long DrawnEverywhere { get; set; } = long.MaxValue;
    }
}
