// Proves that the library runs natively compiled. The app is published with PublishAot, where a warning is an error, and then run.
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Polly;
using RequestCoalescing;
using RequestCoalescing.Caching;
using RequestCoalescing.Http;
using StackExchange.Redis;

var runs = 0;
var work = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
await using var singleflight = new Singleflight<(string Post, int Limit)>(new SingleflightOptions { MaxSubscribers = 1_000 });
using var aborted = new CancellationTokenSource();

var leaving = singleflight.ExecuteAsync(("viral", 10), RunAsync, aborted.Token).AsTask();
var staying = Enumerable.Range(0, 999).Select(_ => singleflight.ExecuteAsync(("viral", 10), RunAsync).AsTask()).ToArray();
await aborted.CancelAsync();
try
{
    await leaving;
    return Fail("a caller whose token fired did not leave");
}
catch (OperationCanceledException exception) when (exception.CancellationToken == aborted.Token)
{
    // Expected.
}

work.SetResult(42);
if ((await Task.WhenAll(staying)).Any(result => result != 42) || runs != 1) return Fail("999 callers did not share one run");

try
{
    await singleflight.ExecuteAsync(("a", 1), async flight =>
    {
        await Task.Yield();
        return await singleflight.ExecuteAsync(("a", 1), static _ => ValueTask.FromResult(0), flight);
    });
    return Fail("a deadlock did not throw");
}
catch (FlightDeadlockException)
{
    // Expected.
}

if (await ServeAsync() is { } failure) return Fail(failure);
if (await StreamAsync() is { } streamProblem) return Fail(streamProblem);
if (await CacheAsync() is { } stale) return Fail(stale);
if (await ExecuteInPipelineAsync() is { } repeated) return Fail(repeated);
if (await GenerateAsync() is { } ungenerated) return Fail(ungenerated);
if (await BatchAsync() is { } unbatched) return Fail(unbatched);
if (await ClusterAsync(args.FirstOrDefault()) is { } broken) return Fail(broken);
Console.WriteLine($"{singleflight.GetStats()}");
return 0;

// Two nodes share a run through the Redis server that the command line names. Without a server, each runs alone.
static async Task<string?> ClusterAsync(string? redis)
{
    await using var connection = await ConnectionMultiplexer.ConnectAsync(redis is null ? "127.0.0.1:1,abortConnect=false,connectTimeout=1000,connectRetry=0" : $"{redis},connectTimeout=20000");
    var options = new RedisSingleflightOptions { Serializer = new JsonFlightSerializer(PostJson.Default.Options) };
    if (redis is not null) options.CommandTimeout = TimeSpan.FromSeconds(10); // a busy machine is not an outage
    await using var one = new RedisSingleflight(connection, null, options);
    await using var other = new RedisSingleflight(connection, null, options);
    var runs = 0;
    var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    var first = one.ExecuteAsync("viral", RunAsync).AsTask();
    var second = other.ExecuteAsync("viral", RunAsync).AsTask();
    while (Volatile.Read(ref runs) < (redis is null ? 2 : 1)) await Task.Yield();
    if (redis is not null) await connection.GetDatabase().PingAsync();
    release.SetResult();
    if ((await first).Title != "viral" || (await second).Title != "viral") return "a node got another result";
    return runs == (redis is null ? 2 : 1) ? null : $"two nodes ran {runs} times";

    async ValueTask<Post> RunAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref runs);
        await release.Task.WaitAsync(cancellationToken);
        return new Post("viral");
    }
}

// Checks the features for production: settings, keyed and typed instances, the error for an invalid setting, statistics over HTTP.
static async Task<string?> ServeAsync()
{
    var builder = WebApplication.CreateSlimBuilder();
    builder.Logging.ClearProviders();
    builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
    builder.Configuration.AddInMemoryCollection([new("Singleflight:posts:MaxSubscribers", "7"), new("Singleflight:posts:Rollout:Fraction", "0.5")]);
    builder.Services.AddSingleflight<(string Post, int Limit)>("posts").WithVerification(1);
    builder.Services.AddHealthChecks().AddSingleflight();
    await using var app = builder.Build();
    app.MapSingleflightStats();
    app.MapSingleflightDashboard();
    await app.StartAsync();

    var posts = app.Services.GetRequiredKeyedService<ISingleflight<(string, int)>>("posts");
    for (var i = 0; i < 100; i++)
    {
        var limit = i;
        if (await posts.ExecuteInScopeAsync(("viral", limit), (_, _) => ValueTask.FromResult(limit)) != limit) return "work in a scope gave another result";
    }

    if (posts.GetStats().Alone is < 20 or > 80) return "the setting of the rollout was not bound";
    using var client = new HttpClient(new CoalescingHandler { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = new Uri(app.Urls.First()) };
    using var stats = JsonDocument.Parse(await client.GetStringAsync("/metrics/singleflight"));
    if (stats.RootElement.GetProperty("instances")[0].GetProperty("calls").GetInt64() != 100) return "the statistics were not served";
    if (!(await client.GetStringAsync("/singleflight")).Contains("Singleflight", StringComparison.Ordinal)) return "the dashboard was not served";

    app.Configuration["Singleflight:posts:MaxSubscribers"] = "0";
    var other = new ServiceCollection().AddSingleton<IConfiguration>(app.Configuration);
    other.AddSingleflight<(string Post, int Limit)>("posts");
    await using var provider = other.BuildServiceProvider();
    try
    {
        provider.GetRequiredKeyedService<ISingleflight<(string, int)>>("posts");
        return "an invalid setting did not throw";
    }
    catch (Microsoft.Extensions.Options.OptionsValidationException exception) when (exception.Message.Contains("Singleflight:posts:MaxSubscribers", StringComparison.Ordinal))
    {
        return null;
    }
}

// Checks a cache on an instance with a second run for slow leaders, a maximum duration that adapts, and the check for changed results. HybridCache itself
// is not ready for native compilation.
static async Task<string?> CacheAsync()
{
    var services = new ServiceCollection();
    services.AddLogging();
    services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:cache:Hedging:HedgeAfter", "00:00:00.001")]).Build());
    services.AddMemoryCache();
    services.AddSingleflight("cache").WithHedging().WithAdaptiveMaxDuration().WithMutationDetection(static mutation => mutation.Enabled = true);
    await using var provider = services.BuildServiceProvider();
    var (cache, singleflight) = (provider.GetRequiredService<IMemoryCache>(), provider.GetRequiredKeyedService<ISingleflight>("cache"));

    var loads = 0;
    var isLoading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    var calls = Enumerable.Range(0, 10).Select(_ => LoadAsync().AsTask()).ToArray();
    if ((await Task.WhenAll(calls)).Any(text => text != "post") || await LoadAsync() != "post") return "a cached value was wrong";
    if (loads != 2) return $"ten callers and a hit made {loads} runs, instead of the leader's and a second one";
    cache.RemoveAndForget(singleflight, "viral");
    return await LoadAsync() == "post" && loads == 3 ? null : "a removal did not reach the entry";

    ValueTask<string?> LoadAsync() => cache.GetOrCreateAsync(singleflight, "viral", async flight =>
    {
        if (Interlocked.Increment(ref loads) == 1) await isLoading.Task.WaitAsync(flight); // slow
        isLoading.TrySetResult();
        return "post";
    }, new MemoryCacheEntryOptions());
}

// Checks generated keys and methods, on a class and behind an interface.
static async Task<string?> GenerateAsync()
{
    var key = new PageKey("a,b", 1.50m, DateTimeOffset.UnixEpoch, new AuthorKey(Guid.Empty, DayOfWeek.Monday));
    const string Text = @"PageKey(a\,b,1.5,1970-01-01T00:00:00.0000000+00:00,AuthorKey(00000000-0000-0000-0000-000000000000,1))";
    var bytes = new byte[200];
    if (key.ToString() != Text || !key.TryFormat(bytes, out var length) || System.Text.Encoding.UTF8.GetString(bytes, 0, length) != Text) return $"the text of a key was {key}";
    if (key != key with { Price = 1.5m } || key == key with { Author = null }) return "equal keys were not those with equal texts";

    var pages = new Pages();
    IPages coalesced = new CoalescedPages(pages);
    Task<string>[] calls = [.. Enumerable.Range(0, 10).Select(_ => pages.GetPageAsync("a", 1, default)), .. Enumerable.Range(0, 10).Select(_ => coalesced.LoadAsync("a", 1, default))];
    pages.Release.SetResult();
    if ((await Task.WhenAll(calls)).Any(page => page != "a 1") || pages.Runs != 2) return $"two generated methods made {pages.Runs} runs";
    await pages.WarmAsync("a");
    return pages.Runs == 3 ? null : "a method without a result did not run";
}

// Checks a batch loader with its settings: 100 keys are two calls, one of which has a key that is missing.
static async Task<string?> BatchAsync()
{
    var services = new ServiceCollection();
    services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:posts:Batching:MaxBatchSize", "50")]).Build());
    services.AddBatchLoader<(string Blog, int Id), Post>("posts", static (_, keys, answer, _) =>
    {
        foreach (var key in keys.Where(static key => key.Id != 99)) answer.Set(key, new Post($"{key.Blog} {key.Id}"));
        return Task.CompletedTask;
    });
    await using var provider = services.BuildServiceProvider();
    var posts = provider.GetRequiredKeyedService<BatchLoader<(string, int), Post>>("posts");
    var outcomes = await posts.LoadManyAsync(Enumerable.Range(0, 100).Select(static id => ("blog", id)));
    if (outcomes[98].Value?.Title != "blog 98" || outcomes[99].IsFound || outcomes[99].Error is not null) return "a batch gave a wrong outcome";
    return posts.GetStats().Calls == 2 ? null : $"100 keys made {posts.GetStats().Calls} calls";
}

static async Task<string?> ExecuteInPipelineAsync()
{
    var pipeline = new ResiliencePipelineBuilder<int>().AddSingleflight(new Singleflight(), static _ => "key").Build();
    var executions = 0;
    var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    var calls = Enumerable.Range(0, 10).Select(_ => pipeline.ExecuteAsync(async _ =>
    {
        executions++;
        await release.Task;
        return 1;
    }).AsTask()).ToArray();
    release.SetResult();
    await Task.WhenAll(calls);
    return executions == 1 ? null : $"ten executions of a pipeline ran {executions} times";
}

// Checks a stream of items and one of bytes, on an instance with decorators.
static async Task<string?> StreamAsync()
{
    var services = new ServiceCollection();
    services.AddLogging();
    services.AddSingleflight<long>().WithHedging();
    await using var provider = services.BuildServiceProvider();
    var streams = provider.GetRequiredService<ISingleflight<long>>();
    var sources = 0;
    var sums = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => SumAsync()));
    if (sources != 1 || sums.Any(static sum => sum != 5050)) return $"ten readers of a stream made {sources} runs, and got {string.Join(", ", sums)}";

    await using var bytes = await streams.ExecuteStreamAsync(2, static _ => Task.FromResult<Stream>(new MemoryStream([1, 2, 3])));
    var read = new byte[3];
    await bytes.ReadExactlyAsync(read);
    return read is [1, 2, 3] ? null : "a stream of bytes was wrong";

    async Task<int> SumAsync()
    {
        var sum = 0;
        await foreach (var item in streams.ExecuteStreamAsync(1, Numbers)) sum += item;
        return sum;
    }

    async IAsyncEnumerable<int> Numbers([EnumeratorCancellation] CancellationToken flight)
    {
        sources++;
        while (streams.GetStats().TotalSubscribers < 10) await Task.Delay(1, flight);
        for (var number = 1; number <= 100; number++) yield return number;
    }
}

Task<int> RunAsync(CancellationToken cancellationToken)
{
    Interlocked.Increment(ref runs);
    return work.Task;
}

static int Fail(string what)
{
    Console.Error.WriteLine($"The natively compiled library failed: {what}.");
    return 1;
}

internal sealed record Post(string Title);

[CoalescingKey]
internal readonly partial record struct PageKey(string Id, decimal Price, DateTimeOffset At, AuthorKey? Author);

[CoalescingKey]
internal readonly partial record struct AuthorKey(Guid Id, DayOfWeek Day);

internal interface IPages
{
    [Coalesce]
    Task<string> LoadAsync(string id, int page, CancellationToken cancellationToken);
}

internal sealed partial class Pages : IPages
{
    private int _runs;

    public int Runs => Volatile.Read(ref _runs);

    public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Coalesce]
    public partial Task<string> GetPageAsync(string id, int page, CancellationToken cancellationToken);

    [Coalesce]
    public partial ValueTask WarmAsync(string id);

    public async Task<string> LoadAsync(string id, int page, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _runs);
        await Release.Task.WaitAsync(cancellationToken);
        return $"{id} {page}";
    }

    private Task<string> GetPageCoreAsync(string id, int page, CancellationToken flight) => LoadAsync(id, page, flight);

    private async Task WarmCoreAsync(string id, CancellationToken flight) => await LoadAsync(id, 0, flight);
}

[JsonSerializable(typeof(Post))]
internal sealed partial class PostJson : JsonSerializerContext;
