using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using RequestCoalescing.Caching;
using ZiggyCreatures.Caching.Fusion;
using static RequestCoalescing.Docs.Examples;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/migrating.md.</summary>
internal sealed class Migrating(Database database, IMemoryCache cache)
{
    // <snippet migrating-lazy-before>
    private readonly ConcurrentDictionary<long, Lazy<Task<Post>>> _loads = new();

    public async Task<Post> GetPostAsync(long id)
    {
        var load = _loads.GetOrAdd(id, key => new Lazy<Task<Post>>(() => database.LoadPostAsync(key, CancellationToken.None)));
        try
        {
            return await load.Value;
        }
        finally
        {
            _loads.TryRemove(new(id, load));
        }
    }
    // </snippet>

    internal sealed class Lazies(Database database)
    {
        // <snippet migrating-lazy-after>
        private readonly Singleflight<long> _loads = new();

        public async Task<Post> GetPostAsync(long id, CancellationToken cancellationToken = default) =>
            await _loads.ExecuteAsync(id, flight => database.LoadPostAsync(id, flight), cancellationToken);
        // </snippet>
    }

    // <snippet migrating-semaphore-before>
    private readonly ConcurrentDictionary<long, SemaphoreSlim> _locks = new();

    public async Task<Post?> GetCachedAsync(long id, CancellationToken cancellationToken)
    {
        if (cache.TryGetValue(id, out Post? post)) return post;
        var gate = _locks.GetOrAdd(id, static _ => new SemaphoreSlim(1));    // never removed
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (cache.TryGetValue(id, out post)) return post;
            post = await database.LoadPostAsync(id, cancellationToken);
            return cache.Set(id, post, TimeSpan.FromMinutes(1));
        }
        finally
        {
            gate.Release();
        }
    }
    // </snippet>

    internal sealed class Semaphores(Database database, IMemoryCache cache)
    {
        // <snippet migrating-semaphore-after>
        private static readonly MemoryCacheEntryOptions s_minute = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) };

        private readonly Singleflight<long> _loads = new();

        public async Task<Post?> GetCachedAsync(long id, CancellationToken cancellationToken) =>
            await cache.GetOrCreateAsync(_loads, id, async flight => await database.LoadPostAsync(id, flight), s_minute, cancellationToken);

        public void OnSaved(long id) => cache.RemoveAndForget(_loads, id);
        // </snippet>
    }

    // <snippet migrating-asynclazy-before>
    public sealed class AsyncLazy<T>(Func<Task<T>> factory) : Lazy<Task<T>>(() => Task.Run(factory));

    private readonly AsyncLazy<string[]> _countries = new(() => LoadCountriesAsync(CancellationToken.None));
    // </snippet>

    public Task<string[]> CountriesAsync() => _countries.Value;

    internal sealed class AsyncLazies
    {
        // <snippet migrating-asynclazy-after>
        private readonly Singleflight _loads = new(new SingleflightOptions { StartOnThreadPool = true });
        private string[]? _countries;

        public async ValueTask<string[]> GetCountriesAsync(CancellationToken cancellationToken) =>
            _countries ?? await _loads.ExecuteAsync("countries", async flight => _countries = await LoadCountriesAsync(flight), cancellationToken);
        // </snippet>
    }

    public static async Task<Post> HybridAsync(HybridCache cache, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet migrating-hybrid>
        return await cache.GetOrCreateAsync($"post:{id}", async token => await database.LoadPostAsync(id, token), cancellationToken: cancellationToken);
        // </snippet>
    }

    public static async Task<Post> FusionAsync(IFusionCache fusion, ISingleflight flights, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet migrating-fusion-before>
        var post = await fusion.GetOrSetAsync<Post>($"post:{id}", async (_, token) => await database.LoadPostAsync(id, token), token: cancellationToken);
        // </snippet>
        _ = post;

        // <snippet migrating-fusion-after>
        return await fusion.GetOrSetAsync<Post>(
            $"post:{id}",
            async (_, token) => await flights.ExecuteAsync($"post:{id}", flight => database.LoadPostAsync(id, flight), token),
            token: cancellationToken);
        // </snippet>
    }

    public static async Task<Post> GoAsync(Singleflight group, Database database, string key, long id, CancellationToken cancellationToken)
    {
        // <snippet migrating-go>
        return await group.ExecuteAsync(key, flight => database.LoadPostAsync(id, flight), cancellationToken);
        // </snippet>
    }

    private static Task<string[]> LoadCountriesAsync(CancellationToken cancellationToken) => Task.FromResult<string[]>([]);
}
