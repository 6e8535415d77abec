// A node in its own process. It has a HybridCache and a FusionCache, whose second levels are in Redis. Arguments: Redis, the backend, and the milliseconds of a lease.
// It reads commands from standard input, one a line, and answers each with one line. "call cache key callers ms levels" makes that many calls at once. The
// cache is "hybrid" or "fusion", and the backend takes that many milliseconds. The levels are "both", or "second" to pass the first one by. "remove cache
// key" removes a key.
using System.Globalization;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

var (redis, lease) = (args[0], TimeSpan.FromMilliseconds(int.Parse(args[2], CultureInfo.InvariantCulture)));
using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(args[1]) };
var second = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCache };
var caches = new Dictionary<string, HybridCache>
{
    ["hybrid"] = await StartAsync("hybrid", static services => services.AddHybridCache()),
    ["fusion"] = await StartAsync("fusion", static services =>
        services.AddFusionCache().WithRegisteredDistributedCache().WithSerializer(new FusionCacheSystemTextJsonSerializer()).AsHybridCache()),
};
Console.WriteLine("ready");
while (await Console.In.ReadLineAsync() is { } command) _ = AnswerAsync(command.Split(' '));

// The services live as long as the process.
async Task<HybridCache> StartAsync(string name, Action<IServiceCollection> addInner)
{
    var services = new ServiceCollection();
    services.AddLogging();
    services.AddStackExchangeRedisCache(options => (options.Configuration, options.InstanceName) = (redis, $"{name}:"));
    addInner(services);
    services.AddSingleflight(name, static options => options.MaxDuration = TimeSpan.FromMinutes(1))
        .UseRedis(redis, options => (options.LeaseDuration, options.CommandTimeout) = (lease, TimeSpan.FromSeconds(20)))
        .CoalesceHybridCache();
    var cache = services.BuildServiceProvider().GetRequiredService<HybridCache>();
    await cache.GetOrCreateAsync($"warm-up-{Environment.ProcessId}", static _ => ValueTask.FromResult("ready"));
    return cache;
}

async Task AnswerAsync(string[] command)
{
    var (name, cache, key) = (command[0], caches[command[1]], command[2]);
    if (name == "remove")
    {
        await cache.RemoveAsync(key);
        Console.WriteLine("removed");
        return;
    }

    var (callers, ms, options) = (int.Parse(command[3], CultureInfo.InvariantCulture), command[4], command[5] == "both" ? null : second);
    var answers = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => CallAsync(cache, key, ms, options)));
    Console.WriteLine($"{answers.Count(answer => answer is not null)}|{string.Join(", ", answers.OfType<string>().Distinct())}");
}

async Task<string?> CallAsync(HybridCache cache, string key, string ms, HybridCacheEntryOptions? options)
{
    try
    {
        return await cache.GetOrCreateAsync(key, async token => await client.GetStringAsync($"{key}?node={Environment.ProcessId}&ms={ms}", token), options);
    }
    catch (Exception exception)
    {
        await Console.Error.WriteLineAsync(exception.Message);
        return null;
    }
}
