using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Tests.Caching;

/// <summary>A real cache whose stores and removals can be held up before and after they happen, and whose stores can be seen.</summary>
public sealed class HookedCache(HybridCache inner) : HybridCache
{
    /// <summary>Runs before each store.</summary>
    public Func<Task>? BeforeStore { get; set; }

    /// <summary>Runs before each look.</summary>
    public Func<Task>? BeforeLook { get; set; }

    /// <summary>Runs after each store, before it completes.</summary>
    public Func<Task>? AfterStore { get; set; }

    /// <summary>The options of the last store.</summary>
    public HybridCacheEntryOptions? LastOptions { get; private set; }

    /// <summary>Runs before each removal, by key or by tag.</summary>
    public Func<Task>? BeforeRemoval { get; set; }

    /// <summary>Runs after each removal, by key or by tag, before it completes.</summary>
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
        if (AfterStore is { } after) await after();
    }

    public override ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default) => RemoveAsync(() => inner.RemoveAsync(key, cancellationToken));

    public override ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default) => RemoveAsync(() => inner.RemoveByTagAsync(tag, cancellationToken));

    private async ValueTask RemoveAsync(Func<ValueTask> remove)
    {
        if (BeforeRemoval is { } hook) await hook();
        await remove();
        if (AfterRemoval is { } after) await after();
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
}
