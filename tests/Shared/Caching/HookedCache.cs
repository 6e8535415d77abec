using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Tests.Caching;

/// <summary>A real cache whose stores and removals can be held up, and whose stores can be seen.</summary>
public sealed class HookedCache(HybridCache inner) : HybridCache
{
    /// <summary>Runs before each store.</summary>
    public Func<Task>? BeforeStore { get; set; }

    /// <summary>Runs before each look.</summary>
    public Func<Task>? BeforeLook { get; set; }

    /// <summary>The options of the last store.</summary>
    public HybridCacheEntryOptions? LastOptions { get; private set; }

    /// <summary>Runs after each removal of a key, before it completes.</summary>
    public Func<Task>? AfterRemoval { get; set; }

    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default) =>
        BeforeLook is { } hook ? LookAfterAsync(hook, key, state, factory, options, tags, cancellationToken) : inner.GetOrCreateAsync(key, state, factory, options, tags, cancellationToken);

    public override async ValueTask SetAsync<T>(
        string key,
        T value,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        if (BeforeStore is { } hook) await hook();
        LastOptions = options;
        await inner.SetAsync(key, value, options, tags, cancellationToken);
    }

    public override async ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        await inner.RemoveAsync(key, cancellationToken);
        if (AfterRemoval is { } hook) await hook();
    }

    private async ValueTask<T> LookAfterAsync<TState, T>(
        Func<Task> hook,
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        await hook();
        return await inner.GetOrCreateAsync(key, state, factory, options, tags, cancellationToken);
    }

    public override ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default) => inner.RemoveByTagAsync(tag, cancellationToken);
}
