using System.Runtime.CompilerServices;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Caching;

/// <summary>
/// A cache whose misses are coalesced by an <see cref="ISingleflight{TKey}"/>. <c>CoalesceHybridCache</c> puts it around
/// any <see cref="HybridCache"/>. A removal, and <see cref="SetAsync"/>, reaches loads that are under way: a load that began before it does not store its value,
/// and no later caller gets that value.
/// </summary>
/// <remarks>
/// <para>All members are safe to call from any number of threads at once. A hit starts no flight. A result that is the default of its type, for example
/// null or 0, is looked up once more in a flight, because the inner cache cannot tell it from a miss.</para>
/// <para>Default flags of the inner cache do not apply to calls through this one; flags of a call do.</para>
/// </remarks>
public sealed partial class CoalescingHybridCache : HybridCache, IDisposable
{
    private const HybridCacheEntryFlags DisableReads = HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead;
    private const HybridCacheEntryFlags DisableWrites = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCacheWrite;
    private const string AllTags = "*";

    private static readonly HybridCacheEntryOptions s_lookOnly = new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData };

    private readonly HybridCache _inner;
    private readonly ISingleflight<string> _singleflight;
    private readonly Func<string, Task>? _forgetInCluster;
    private readonly CoalescingHybridCacheOptions _options;
    private readonly CacheMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _clock;
    private readonly string _name;
    private readonly Ledger _ledger;
    private readonly Loads _loads = new();
    private readonly Tags _tags = new();
    private readonly Look?[] _lookOptions = new Look?[16]; // of the latest options, by the hash of the object

    internal CoalescingHybridCache(
        HybridCache inner,
        ISingleflight<string> singleflight,
        Func<string, Task>? forgetInCluster,
        CoalescingHybridCacheOptions options,
        CacheMetrics metrics,
        ILogger logger,
        TimeProvider clock,
        string name)
    {
        (_inner, _singleflight, _forgetInCluster, _options) = (inner, singleflight, forgetInCluster, options);
        (_metrics, _logger, _clock, _name) = (metrics, logger, clock, name);
        _ledger = new Ledger(clock);
    }

    // Only with one of these options is there anything to look up beside the cache.
    private bool RemembersFailures => _options.FailureDuration > TimeSpan.Zero;

    private bool RefreshesEarly => _options.EarlyRefresh > 0;

    /// <inheritdoc/>
    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(factory);
        var flags = FlagsOf(options);
        if (flags.HasFlag(HybridCacheEntryFlags.DisableUnderlyingData)) return _inner.GetOrCreateAsync(key, state, factory, options, tags, cancellationToken);
        if (flags.HasFlag(DisableReads)) return LoadAsync(key, state, factory, options, tags, cancellationToken);

        var look = _inner.GetOrCreateAsync(key, 0, static (_, _) => default(ValueTask<T>), LookOnly(options), tags, cancellationToken);
        if (!look.IsCompletedSuccessfully) return AfterLookAsync(look, key, state, factory, options, tags, cancellationToken);
        var found = look.Result;
        if (!IsSurelyFound(found)) return LoadAsync(key, state, factory, options, tags, cancellationToken);
        if (RefreshesEarly) MayRefresh(key, state, factory, options, tags);
        return new(found);
    }

    /// <summary>Stores a value. Loads of the key that are under way do not store theirs, and callers that come later do not join them.</summary>
    /// <inheritdoc/>
    public override async ValueTask SetAsync<T>(
        string key,
        T value,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        await ForgetAsync(key).WaitAsync(cancellationToken).ConfigureAwait(false);
        await _inner.SetAsync(key, value, options, tags, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes an entry. Loads of the key that are under way do not store their values, and callers that come later do not join them.</summary>
    /// <inheritdoc/>
    public override async ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        try
        {
            await ForgetAsync(key).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await _inner.RemoveAsync(key, cancellationToken).ConfigureAwait(false); // also if Redis cannot be reached
        }
    }

    /// <summary>
    /// Removes the entries with a tag. Loads that are under way in this process do not store their values if their calls name the tag, and callers
    /// that come later do not join them. The tag <c>*</c> stands for all entries.
    /// </summary>
    /// <inheritdoc/>
    public override async ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tag);
        try
        {
            await (tag == AllTags ? ForgetAllAsync() : Task.WhenAll(_tags.KeysOf(tag).Select(ForgetAsync))).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await _inner.RemoveByTagAsync(tag, cancellationToken).ConfigureAwait(false); // also if Redis cannot be reached
        }
    }

    /// <summary>Drops what this cache remembers beside the inner one. The inner cache and the instance belong to the services.</summary>
    public void Dispose() => _ledger.Dispose();

    // The flight first: a caller that comes after this does not join it. Then the loads: they do not store from here on.
    private Task ForgetAsync(string key)
    {
        var forgotten = _forgetInCluster is null ? ForgetHere(key) : _forgetInCluster(key);
        var stored = _loads.RemoveAsync(key);
        _ledger.Forget(key);
        return forgotten.IsCompletedSuccessfully ? stored : Task.WhenAll(forgotten, stored);
    }

    private Task ForgetHere(string key)
    {
        _singleflight.Forget(key);
        return Task.CompletedTask;
    }

    private Task ForgetAllAsync()
    {
        _singleflight.Clear();
        var stored = _loads.RemoveAllAsync();
        _ledger.Clear();
        return stored;
    }

    private async ValueTask<T> AfterLookAsync<TState, T>(
        ValueTask<T> look,
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        var found = await look.ConfigureAwait(false);
        if (!IsSurelyFound(found)) return await LoadAsync(key, state, factory, options, tags, cancellationToken).ConfigureAwait(false);
        if (RefreshesEarly) MayRefresh(key, state, factory, options, tags);
        return found;
    }

    private async ValueTask<T> LoadAsync<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        if (RemembersFailures && _ledger.FailureOf(key) is { } failure)
        {
            _metrics.RememberedFailure();
            failure.Throw();
        }

        string[] named = tags is null ? [] : [.. tags];
        _tags.Add(named, key);
        try
        {
            var load = new HybridLoad<TState, T>(this, key, state, factory, options, named, isRefresh: false);
            var result = await _singleflight.ExecuteAsync(key, load, static (load, flight) => load.RunAsync(flight), cancellationToken).ConfigureAwait(false);
            return _options.CloneResult is { } clone && !typeof(T).IsValueType && result is { } shared ? (T)clone(shared) : result;
        }
        finally
        {
            _tags.Remove(named, key);
        }
    }

    private void MayRefresh<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags)
    {
        if (_ledger.LoadOf(key) is not { } last || !last.StartsRefresh(_clock.GetUtcNow(), _options.EarlyRefresh, Random.Shared.NextDouble())) return;
        _metrics.Refresh();
        _ = RefreshAsync(last, new HybridLoad<TState, T>(this, key, state, factory, options, tags is null ? [] : [.. tags], isRefresh: true));
    }

    private async Task RefreshAsync<TState, T>(LoadTime last, HybridLoad<TState, T> load)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the caller has its value
        _tags.Add(load.Tags, load.Key);
        try
        {
            await _singleflight.ExecuteAsync(load.Key, load, static (load, flight) => load.RunAsync(flight)).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            Log.RefreshFailed(_logger, _name, error);
        }
        finally
        {
            _tags.Remove(load.Tags, load.Key);
            last.EndRefresh();
        }
    }

    // Most applications have a few options objects, so that a hit allocates none.
    private HybridCacheEntryOptions LookOnly(HybridCacheEntryOptions? options)
    {
        if (options is null) return s_lookOnly;
        ref var place = ref _lookOptions[RuntimeHelpers.GetHashCode(options) & 15];
        if (Volatile.Read(ref place) is { } look && look.Of == options) return look.Options;
        var made = With(options, FlagsOf(options) | HybridCacheEntryFlags.DisableUnderlyingData, options.Expiration, options.LocalCacheExpiration);
        Volatile.Write(ref place, new Look(options, made));
        return made;
    }

    private static HybridCacheEntryOptions With(HybridCacheEntryOptions? options, HybridCacheEntryFlags flags, TimeSpan? expiration, TimeSpan? local) =>
        new() { Expiration = expiration, LocalCacheExpiration = local, Flags = options?.Flags is null && flags == HybridCacheEntryFlags.None ? null : flags };

    private static HybridCacheEntryFlags FlagsOf(HybridCacheEntryOptions? options) => options?.Flags ?? HybridCacheEntryFlags.None;

    private static bool IsSurelyFound<T>(T value) => default(T) is null ? value is not null : !EqualityComparer<T>.Default.Equals(value, default);

    private sealed record Look(HybridCacheEntryOptions Of, HybridCacheEntryOptions Options);
}
