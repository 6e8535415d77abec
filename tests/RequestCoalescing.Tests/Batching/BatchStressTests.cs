using System.Collections.Concurrent;

namespace RequestCoalescing.Tests.Batching;

/// <summary>64 threads use one gate, and keys come, leave, fail and are missing at random. Afterwards, all counts must add up.</summary>
public sealed class BatchStressTests
{
    private const int Threads = 64;
    private const int CallsPerThread = 300;

    private readonly ConcurrentDictionary<string, int> _outcomes = new();
    private readonly ConcurrentQueue<string> _problems = new();
    private readonly int[] _asking = new int[1_000];
    private int _calls;

    [Theory]
    [InlineData(10, 0, 100, int.MaxValue, false)]
    [InlineData(1_000, 0, 7, 1, false)]
    [InlineData(1_000, 1, 100, 3, false)]
    [InlineData(1_000, 0, 50, int.MaxValue, true)]
    [InlineData(100, 1, 10, 2, true)]
    public async Task Every_caller_gets_the_outcome_of_its_key_and_nothing_is_left(int keys, int window, int size, int concurrent, bool leaves)
    {
        var loader = new BatchLoader<int, string>(
            (asked, answer, token) => LoadAsync(asked, answer, isKeyAskedOnce: !leaves),
            new BatchLoaderOptions { Window = TimeSpan.FromMilliseconds(window), MaxBatchSize = size, MaxConcurrentBatches = concurrent });
        var callers = new ConcurrentBag<Task>();
        Crowd.Run(Threads, thread =>
        {
            var random = new Random(thread);
            for (var call = 0; call < CallsPerThread; call++)
            {
                var source = leaves && random.Next(3) == 0 ? new CancellationTokenSource() : null;
                if (random.Next(20) == 0) callers.Add(LoadManyAsync(loader, [.. Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(keys))], source?.Token ?? default));
                else callers.Add(LoadAsync(loader, random.Next(keys), source?.Token ?? default));
                if (random.Next(4) == 0) Thread.Yield();
                source?.Cancel();
            }
        });
        await Task.WhenAll(callers).SoonAsync();
        await Patience.UntilAsync(() => loader.GetStats() is { Running: 0, Pending: 0 }, "no batch runs or waits");

        Assert.Empty(_problems);
        var stats = loader.GetStats();
        Assert.Equal(_calls, stats.Calls);
        Assert.Equal(stats.Keys, stats.Found + stats.Missing + stats.Failed);
        Assert.Equal((0L, 0L), (stats.Duplicates, stats.Unasked));
        Assert.InRange(stats.Keys, 1, Threads * CallsPerThread * 30L);
        Assert.All(new[] { "value", "missing", "failed" }, outcome => Assert.True(_outcomes.GetValueOrDefault(outcome) > 0));
        Assert.Equal(leaves, _outcomes.ContainsKey("left"));
        var engine = loader.Singleflight.GetStats();
        Assert.Equal((0, 0L, 0), (engine.InFlightCount, engine.TotalSubscribers, engine.AbandonedCount));
        if (!leaves) Assert.Equal(engine.Calls - engine.Coalesced, stats.Keys);
        await loader.DisposeAsync();
    }

    // Each key has its own outcome: a value, nothing or an error. A call that has key 0 fails as a whole, from the middle of its keys on.
    private async Task LoadAsync(IReadOnlyList<int> keys, BatchAnswer<int, string> answer, bool isKeyAskedOnce)
    {
        var call = Interlocked.Increment(ref _calls);
        if (keys.Distinct().Count() != keys.Count) _problems.Enqueue("a call has a key twice");
        foreach (var key in keys)
        {
            if (Interlocked.Increment(ref _asking[key]) > 1 && isKeyAskedOnce) _problems.Enqueue($"key {key} is asked twice at a time");
        }

        await Task.Yield();
        var fails = keys.Contains(0);
        foreach (var key in keys) Interlocked.Decrement(ref _asking[key]); // before the answer, which lets the next flight begin
        foreach (var key in fails ? keys.Take(keys.Count / 2) : keys)
        {
            if (key % 5 == 1) answer.Fail(key, new InvalidDataException($"key {key}"));
            else if (key % 5 != 2) answer.Set(key, $"value {key}");
        }

        if (fails) throw new InvalidDataException($"call {call}");
    }

    private async Task LoadAsync(BatchLoader<int, string> loader, int key, CancellationToken token)
    {
        try
        {
            Check(key, await loader.TryLoadAsync(key, token));
        }
        catch (InvalidDataException error)
        {
            Check(key, new BatchOutcome<string> { Error = error });
        }
        catch (OperationCanceledException cancellation) when (cancellation.CancellationToken == token)
        {
            Count("left");
        }
    }

    private async Task LoadManyAsync(BatchLoader<int, string> loader, int[] keys, CancellationToken token)
    {
        try
        {
            var outcomes = await loader.LoadManyAsync(keys, token);
            for (var i = 0; i < keys.Length; i++) Check(keys[i], outcomes[i]);
        }
        catch (OperationCanceledException cancellation) when (cancellation.CancellationToken == token)
        {
            Count("left");
        }
    }

    private void Check(int key, BatchOutcome<string> outcome)
    {
        Count(outcome.Error is not null ? "failed" : outcome.IsFound ? "value" : "missing");
        var isRight = outcome switch
        {
            { Error: { } error } => error is InvalidDataException && (error.Message.StartsWith("call ", StringComparison.Ordinal) || (key % 5 == 1 && error.Message == $"key {key}")),
            { IsFound: true } => key % 5 is not (1 or 2) && outcome.Value == $"value {key}",
            _ => key % 5 == 2,
        };
        if (!isRight) _problems.Enqueue($"key {key} got {outcome}");
    }

    private void Count(string outcome) => _outcomes.AddOrUpdate(outcome, 1, static (_, count) => count + 1);
}
