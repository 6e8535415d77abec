using System.Diagnostics;
using System.Globalization;
using RequestCoalescing.Benchmarks.Quick;

namespace RequestCoalescing.Benchmarks.Batching;

/// <summary>Measures a batch loader beside one that is written by hand: what a call costs in batches of several sizes, and what it saves in front of a backend that takes time.</summary>
internal static class BatchingRun
{
    private const int Rounds = 15;
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

    public static async Task RunAsync(TextWriter output)
    {
        await output.WriteLineAsync("| keys, all different | batch size | by hand | `BatchLoader` | ratio |");
        await output.WriteLineAsync("|---:|---:|---:|---:|---:|");
        foreach (var (keys, size) in new[] { (1_000, 1), (10_000, 10), (10_000, 100), (10_000, 1_000) }) await WriteCostAsync(output, keys, size);
        await output.WriteLineAsync();
        await output.WriteLineAsync("| 1,000 callers of 100 keys, one after the other on two threads; a query takes 5 ms and 10 µs a key, four at a time | queries | all have their value after |");
        await output.WriteLineAsync("|---|---:|---:|");
        await WriteBackendAsync(output, "a query for each caller", async (backend, _) => await backend.QueryAsync([0]));
        await WriteBackendAsync(output, "a singleflight", backend =>
        {
            var engine = new Singleflight<long>();
            return async key => await engine.ExecuteAsync(key, _ => backend.QueryAsync([key]));
        });
        await WriteBackendAsync(output, "by hand, a window of 1 ms", backend =>
        {
            var loader = new HandWrittenLoader(backend.LoadAsync, 100, TimeSpan.FromMilliseconds(1));
            return key => loader.LoadAsync(key);
        });
        await WriteBackendAsync(output, "`BatchLoader`, a window of 1 ms", backend =>
        {
            var loader = new BatchLoader<long, string>(backend.LoadAsync);
            return key => loader.LoadAsync(key);
        });
        await WriteBackendAsync(output, "`BatchLoader`, no window, one batch at a time", backend =>
        {
            var loader = new BatchLoader<long, string>(backend.LoadAsync, new BatchLoaderOptions { Window = TimeSpan.Zero, MaxConcurrentBatches = 1 });
            return key => loader.LoadAsync(key);
        });
    }

    // The processor time and the memory of a call. All batches are full, so that neither loader waits for a window. The median of rounds that alternate.
    private static async Task WriteCostAsync(TextWriter output, int keys, int size)
    {
        using var byHand = new HandWrittenLoader(AnswerAsync, size, s_minute);
        await using var ours = new BatchLoader<long, string>(AnswerAsync, new BatchLoaderOptions { MaxBatchSize = size, Window = s_minute });
        var results = new List<(QuickResult Hand, QuickResult Ours)>();
        for (var round = -5; round < Rounds; round++) // the first ones warm up
        {
            var hand = Measure(keys, byHand.LoadAsync);
            var own = Measure(keys, key => ours.LoadAsync(key));
            if (round >= 0) results.Add((hand, own));
        }

        var ratio = Median(results.Select(result => result.Ours.Nanoseconds / result.Hand.Nanoseconds));
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"| {keys:N0} | {size:N0} | {Median(results.Select(result => result.Hand.Nanoseconds)):N0} ns, {Median(results.Select(result => result.Hand.Bytes)):N0} B | {Median(results.Select(result => result.Ours.Nanoseconds)):N0} ns, {Median(results.Select(result => result.Ours.Bytes)):N0} B | {ratio:N2} |"));
    }

    // Processor time, because work on the thread pool and other processes on the machine would distort the time of a clock.
    private static QuickResult Measure(int keys, Func<long, Task<string?>> load)
    {
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        var start = Environment.CpuUsage.TotalTime;
        var loads = new Task<string?>[keys];
        for (var key = 0; key < keys; key++) loads[key] = load(key);
        Task.WhenAll(loads).GetAwaiter().GetResult();
        var elapsed = Environment.CpuUsage.TotalTime - start;
        return new QuickResult(elapsed.TotalNanoseconds / keys, (double)(GC.GetTotalAllocatedBytes(precise: true) - bytes) / keys);
    }

    private static Task<IReadOnlyDictionary<long, string>> AnswerAsync(IReadOnlyList<long> keys, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<long, string>>(keys.ToDictionary(static key => key, static _ => "value"));

    private static Task WriteBackendAsync(TextWriter output, string name, Func<Database, long, Task> call) => WriteBackendAsync(output, name, database => key => call(database, key));

    private static async Task WriteBackendAsync(TextWriter output, string name, Func<Database, Func<long, Task>> create)
    {
        var (best, queries) = (TimeSpan.MaxValue, 0);
        for (var round = 0; round < 5; round++)
        {
            var database = new Database();
            var load = create(database);
            var start = Stopwatch.GetTimestamp();
            var threads = Enumerable.Range(0, 2).Select(thread => Task.Run(() => Task.WhenAll(Enumerable.Range(0, 500).Select(call => load(((call * 2) + thread) % 100)))));
            await Task.WhenAll(threads);
            var elapsed = Stopwatch.GetElapsedTime(start);
            if (elapsed < best) (best, queries) = (elapsed, database.Queries);
        }

        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"| {name} | {queries:N0} | {best.TotalMilliseconds:N0} ms |"));
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var all ? all[all.Length / 2] : 0;

    /// <summary>A database that runs four queries at a time.</summary>
    private sealed class Database
    {
        private readonly SemaphoreSlim _connections = new(4);
        private int _queries;

        public int Queries => _queries;

        public async Task<IReadOnlyDictionary<long, string>> LoadAsync(IReadOnlyList<long> keys, CancellationToken cancellationToken)
        {
            await QueryAsync(keys);
            return keys.ToDictionary(static key => key, static _ => "value");
        }

        public async Task<string> QueryAsync(IReadOnlyList<long> keys)
        {
            Interlocked.Increment(ref _queries);
            await _connections.WaitAsync();
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5) + TimeSpan.FromMicroseconds(10 * keys.Count));
                return "value";
            }
            finally
            {
                _connections.Release();
            }
        }
    }
}
