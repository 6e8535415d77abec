using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Benchmarks.Quick;
using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Benchmarks.Caching;

/// <summary>Measures caches with their own protection, and the same caches behind an instance: hits, a storm of misses, and expiry under load.</summary>
internal static class CachingRun
{
    private const int Callers = 10_000;
    private const int Hits = 500_000;
    private static readonly TimeSpan s_load = TimeSpan.FromMilliseconds(50);
    private static readonly HybridCacheEntryOptions s_hour = new() { Expiration = TimeSpan.FromHours(1) };

    public static async Task RunAsync(TextWriter output)
    {
        await output.WriteLineAsync("| a hit | bare | behind a decorator that does nothing | coalesced | ratio | budget | |");
        await output.WriteLineAsync("|---|---:|---:|---:|---:|---:|---|");
        foreach (var inner in new[] { "HybridCache", "FusionCache" }) await WriteHitsAsync(output, inner);
        await output.WriteLineAsync();
        await output.WriteLineAsync("| 10,000 callers miss at once, a load takes 50 ms | all have the value after | loads |");
        await output.WriteLineAsync("|---|---:|---:|");
        foreach (var keys in new[] { 1, 1_000 })
        {
            foreach (var inner in new[] { "HybridCache", "FusionCache" })
            {
                foreach (var coalesces in new[] { false, true }) await WriteStormAsync(output, inner, coalesces, keys);
            }
        }

        await output.WriteLineAsync();
        await output.WriteLineAsync("| 20 callers read a key that expires every 300 ms, for 10 s | reads | slower than 10 ms | p99.9 | longest |");
        await output.WriteLineAsync("|---|---:|---:|---:|---:|");
        await WriteExpiryAsync(output, "HybridCache", Build("HybridCache", coalesces: false));
        await WriteExpiryAsync(output, "coalesced", Build("HybridCache", coalesces: true));
        await WriteExpiryAsync(output, "coalesced, early refresh with β = 1", Build("HybridCache", coalesces: true, earlyRefresh: 1));
    }

    private static HybridCache Build(string inner, bool coalesces, double earlyRefresh = 0)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        if (inner == "HybridCache") services.AddHybridCache();
        else services.AddFusionCache().AsHybridCache();
        if (coalesces) services.AddSingleflight("cache").CoalesceHybridCache(options => options.EarlyRefresh = earlyRefresh);
        return services.BuildServiceProvider().GetRequiredService<HybridCache>();
    }

    // The best of several rounds, one after the other.
    private static async Task WriteHitsAsync(TextWriter output, string inner)
    {
        HybridCache[] caches = [Build(inner, coalesces: false), new EmptyDecorator(Build(inner, coalesces: false)), Build(inner, coalesces: true)];
        var best = Enumerable.Repeat(new QuickResult(double.MaxValue, double.MaxValue), caches.Length).ToArray();
        foreach (var cache in caches) await cache.GetOrCreateAsync("key", static _ => ValueTask.FromResult("value"), s_hour);
        for (var round = -4; round < 12; round++) // the first ones warm up
        {
            for (var i = 0; i < caches.Length; i++)
            {
                var cache = caches[i];
                var result = Rounds.Measure(Hits, () =>
                {
                    for (var hit = 0; hit < Hits; hit++) cache.GetOrCreateAsync("key", static _ => ValueTask.FromResult("value"), s_hour).GetAwaiter().GetResult();
                });
                if (round >= 0) best[i] = new(Math.Min(best[i].Nanoseconds, result.Nanoseconds), Math.Min(best[i].Bytes, result.Bytes));
            }
        }

        var ratio = best[2].Nanoseconds / best[0].Nanoseconds;
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"| {inner} | {string.Join(" | ", best.Select(static each => string.Create(CultureInfo.InvariantCulture, $"{each.Nanoseconds:N0} ns, {each.Bytes:N0} B")))} | {ratio:N2} | 1.1 | {QuickRun.Verdict(ratio <= 1.1)} |"));
    }

    private static async Task WriteStormAsync(TextWriter output, string inner, bool coalesces, int keys)
    {
        var (best, loads) = (TimeSpan.MaxValue, 0);
        for (var round = 0; round < 5; round++)
        {
            var cache = Build(inner, coalesces);
            var count = 0;
            var start = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => cache.GetOrCreateAsync($"key{caller % keys}", LoadAsync).AsTask()));
            var elapsed = Stopwatch.GetElapsedTime(start);
            (best, loads) = (elapsed < best ? elapsed : best, Math.Max(loads, count));

            async ValueTask<string> LoadAsync(CancellationToken token)
            {
                Interlocked.Increment(ref count);
                await Task.Delay(s_load, token);
                return "value";
            }
        }

        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"| {inner}{(coalesces ? ", coalesced" : "")}, {keys:N0} {(keys == 1 ? "key" : "keys")} | {best.TotalMilliseconds:N0} ms | {loads:N0} |"));
    }

    private static async Task WriteExpiryAsync(TextWriter output, string name, HybridCache cache)
    {
        var options = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMilliseconds(300) };
        var until = Stopwatch.GetTimestamp() + (10 * Stopwatch.Frequency);
        var reads = (await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(ReadAsync)))).SelectMany(static times => times).Order().ToArray();
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {reads.Length:N0} | {reads.Count(static time => time > TimeSpan.FromMilliseconds(10)):N0} | {reads[(int)(reads.Length * 0.999)].TotalMilliseconds:N1} ms | {reads[^1].TotalMilliseconds:N1} ms |"));

        async Task<List<TimeSpan>> ReadAsync()
        {
            var times = new List<TimeSpan>();
            while (Stopwatch.GetTimestamp() < until)
            {
                var start = Stopwatch.GetTimestamp();
                await cache.GetOrCreateAsync(
                    "key",
                    static async token =>
                    {
                        await Task.Delay(s_load, token);
                        return "value";
                    },
                    options);
                times.Add(Stopwatch.GetElapsedTime(start));
                await Task.Delay(1);
            }

            return times;
        }
    }
}
