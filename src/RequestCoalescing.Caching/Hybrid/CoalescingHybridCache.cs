using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Caching;

/// <summary>
/// A cache whose misses are coalesced by an <see cref="ISingleflight{TKey}"/>. <c>CoalesceHybridCache</c> puts it around
/// any <see cref="HybridCache"/>. A removal, and <see cref="SetAsync"/>, reaches loads that are under way: a load that began before it does not store its value,
/// and no later caller gets that value.
/// </summary>
/// <remarks>
/// <para>All members are safe to call from any number of threads at once. A hit in the first level starts no flight. A result that is the
/// default of its type, for example null or 0, is looked up once more in a flight, because the inner cache cannot tell it from a miss. Keys that are white
/// space, have control characters, or are longer than 1,024 characters pass to the inner cache as they are.</para>
/// <para>Default flags of the inner cache do not apply to calls through this one; flags of a call do.</para>
/// </remarks>
public sealed partial class CoalescingHybridCache : HybridCache, IDisposable
{
    private const HybridCacheEntryFlags DisableReads = HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead;
    private const HybridCacheEntryFlags DisableWrites = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCacheWrite;
    private const string AllTags = "*";

    // Only the first level: what a look brings nearer from the second one could be older than a removal.
    private const HybridCacheEntryFlags LookNear = HybridCacheEntryFlags.DisableUnderlyingData | HybridCacheEntryFlags.DisableDistributedCacheRead;

    // HybridCache refuses longer keys by default, and keys with such characters.
    private const int MaxKeyLength = 1_024;
    private const char LastControl = (char)31;

    private static readonly HybridCacheEntryOptions s_lookOnly = new() { Flags = LookNear };

    private readonly HybridCache _inner;
    private readonly ISingleflight<string> _singleflight;
    private readonly IClusterSingleflight<string>? _cluster;
    private readonly CoalescingHybridCacheOptions _options;
    private readonly CacheMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _clock;
    private readonly string _name;
    private readonly bool _hasSecondLevel;
    private readonly Ledger _ledger;
    private readonly Loads _loads = new();
    private readonly Tags _tags = new();
    private readonly Look?[] _lookOptions = new Look?[16]; // of the latest options, by the hash of the object

    internal CoalescingHybridCache(
        HybridCache inner,
        ISingleflight<string> singleflight,
        IClusterSingleflight<string>? cluster,
        CoalescingHybridCacheOptions options,
        CacheMetrics metrics,
        ILogger logger,
        TimeProvider clock,
        string name,
        bool hasSecondLevel)
    {
        (_inner, _singleflight, _cluster, _options) = (inner, singleflight, cluster, options);
        (_metrics, _logger, _clock, _name, _hasSecondLevel) = (metrics, logger, clock, name, hasSecondLevel);
        _ledger = new Ledger(clock);
    }

    // Only with one of these options is there anything to look up beside the cache.
    private bool RemembersFailures => _options.FailureDuration > TimeSpan.Zero;

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
        if (Has(options, HybridCacheEntryFlags.DisableUnderlyingData)) return _inner.GetOrCreateAsync(key, 0, Nothing<T>.Load, options, tags, cancellationToken);

        var look = Has(options, DisableReads) ? default : _inner.GetOrCreateAsync(key, 0, Nothing<T>.Load, LookOnly(options), tags, cancellationToken);
        if (!look.IsCompletedSuccessfully) return AfterLook(look, key, state, factory, options, tags, cancellationToken);
        var found = look.Result;
        return IsSurelyFound(found) && _options.EarlyRefresh == 0 ? new(found) : AfterLook(new(found), key, state, factory, options, tags, cancellationToken);
    }

    /// <summary>Stores a value. Loads of the key that are under way do not store theirs, and callers that come later do not join them.</summary>
    /// <inheritdoc/>
    public override ValueTask SetAsync<T>(
        string key,
        T value,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return ChangeAsync(() => [key], StoreAsync, cancellationToken);

        async ValueTask StoreAsync()
        {
            // The copy comes first. If a removal overtakes this call between the two, no copy is left without its entry.
            await StoreStaleAsync(key, value, options?.Expiration ?? _options.DefaultExpiration, options, tags, cancellationToken).ConfigureAwait(false);
            await _inner.SetAsync(key, value, options, tags, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Removes an entry. Loads of the key that are under way do not store their values, and callers that come later do not join them.</summary>
    /// <inheritdoc/>
    public override ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return ChangeAsync(() => [key], () => RemoveWithStaleAsync(key, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// Removes the entries with a tag. Loads that are under way do not store their values if their calls name the tag, and callers that come later do not
    /// join them. The tag <c>*</c> stands for all entries. It reaches the loads of this process, and those of other nodes that a caller of this process waits for.
    /// </summary>
    /// <inheritdoc/>
    public override async ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tag);
        if (tag != AllTags)
        {
            await ChangeAsync(() => _tags.KeysOf(tag), () => _inner.RemoveByTagAsync(tag, cancellationToken), cancellationToken, tag).ConfigureAwait(false);
            _ledger.ForgetFailures();
            return;
        }

        using var removal = _loads.RemoveAll();
        _singleflight.Clear();
        await removal.Written.WaitAsync(cancellationToken).ConfigureAwait(false);
        await _inner.RemoveByTagAsync(tag, cancellationToken).ConfigureAwait(false);
        _singleflight.Clear();
        _ledger.Clear();
    }

    /// <summary>Drops what this cache remembers beside the inner one. The inner cache and the instance belong to the services.</summary>
    public void Dispose() => _ledger.Clear();

    // Changes entries of the inner cache. Loads of their keys write nothing meanwhile. The flights are forgotten before the change, so that other nodes learn of it
    // before they store, and once more after it, because a flight may have taken off in between and found what is being removed.
    private async ValueTask ChangeAsync(Func<string[]> keysNow, Func<ValueTask> change, CancellationToken cancellationToken, string? tag = null)
    {
        var keys = keysNow();
        using var removal = _loads.Remove(keys);
        var outage = await ForgetAsync(keys, tag).ConfigureAwait(false);
        await removal.Written.WaitAsync(cancellationToken).ConfigureAwait(false);
        Array.ForEach(keys, _ledger.Forget);
        await change().ConfigureAwait(false);
        (await ForgetAsync(keysNow(), tag).ConfigureAwait(false) ?? outage)?.Throw();
    }

    // Returns the error of a cluster that cannot be reached. The flights of this node are forgotten all the same.
    private async Task<ExceptionDispatchInfo?> ForgetAsync(string[] keys, string? tag)
    {
        string[] flights = [.. keys, .. keys.Select(ReloadOf)];
        if (_cluster is null)
        {
            foreach (var flight in flights) _singleflight.Forget(flight);
            return null;
        }

        var forgotten = flights.Select(_cluster.ForgetAsync).ToList();
        if (tag is not null) forgotten.Add(_cluster.ForgetTagAsync(tag));
        try
        {
            await Task.WhenAll(forgotten).ConfigureAwait(false);
            return null;
        }
        catch (Exception error)
        {
            return ExceptionDispatchInfo.Capture(error);
        }
    }

    // Everything but a hit, which needs none of it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<T> AfterLook<TState, T>(
        ValueTask<T> look,
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        if (!IsCacheable(key)) return _inner.GetOrCreateAsync(key, state, factory, options, tags, cancellationToken); // loads without storing
        if (!look.IsCompletedSuccessfully) return AfterLookAsync(look, NewLoad(), cancellationToken);
        var found = look.Result;
        if (!IsSurelyFound(found)) return LoadAsync(NewLoad(), cancellationToken);
        if (StartsRefresh(key, options) is { } last) _ = RefreshAsync(last, NewLoad());
        return new(found);

        HybridLoad<TState, T> NewLoad() => new(this, key, state, factory, options, TextsOf(tags));
    }

    private async ValueTask<T> AfterLookAsync<TState, T>(ValueTask<T> look, HybridLoad<TState, T> load, CancellationToken cancellationToken)
    {
        var found = await look.ConfigureAwait(false);
        if (!IsSurelyFound(found)) return await LoadAsync(load, cancellationToken).ConfigureAwait(false);
        if (StartsRefresh(load.Key, load.Options) is { } last) _ = RefreshAsync(last, load);
        return found;
    }

    private ValueTask<T> LoadAsync<TState, T>(HybridLoad<TState, T> load, CancellationToken cancellationToken) =>
        KeepsStale && !Has(load.Options, DisableReads) ? LoadOrStaleAsync(load, cancellationToken) : FlyAsync(load, cancellationToken);

    private async ValueTask<T> FlyAsync<TState, T>(HybridLoad<TState, T> load, CancellationToken cancellationToken)
    {
        _tags.Add(load.Tags, load.Key);
        try
        {
            var result = await _singleflight.ExecuteAsync(load.FlightKey, load, static (load, flight) => load.RunAsync(flight), cancellationToken).ConfigureAwait(false);
            return _options.CloneResult is { } clone && !typeof(T).IsValueType && result is { } shared ? (T)clone(shared) : result;
        }
        finally
        {
            _tags.Remove(load.Tags, load.Key);
        }
    }

    // Returns the last load of an entry that this hit refreshes, or null.
    private LoadTime? StartsRefresh(string key, HybridCacheEntryOptions? options)
    {
        if (_options.EarlyRefresh == 0 || Has(options, DisableWrites)) return null;
        if (_ledger.LoadOf(key) is not { } last || !last.StartsRefresh(_clock.GetUtcNow(), _options.EarlyRefresh, Random.Shared.NextDouble())) return null;
        _metrics.Refresh();
        return last;
    }

    private async Task RefreshAsync<TState, T>(LoadTime last, HybridLoad<TState, T> load)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the caller has its value
        try
        {
            await _singleflight.ExecuteAsync(load.Key, load, static (load, flight) => load.RefreshAsync(flight)).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            Log.RefreshFailed(_logger, _name, error);
        }
        finally
        {
            last.EndRefresh();
        }
    }

    // Most applications have a few options objects, so that a hit allocates none.
    private HybridCacheEntryOptions LookOnly(HybridCacheEntryOptions? options)
    {
        if (options is null) return s_lookOnly;
        ref var place = ref _lookOptions[RuntimeHelpers.GetHashCode(options) & 15];
        if (Volatile.Read(ref place) is { } look && look.Of == options) return look.Options;
        var made = With(options, FlagsOf(options) | LookNear);
        Volatile.Write(ref place, new Look(options, made));
        return made;
    }

    private static HybridCacheEntryOptions With(HybridCacheEntryOptions? options, HybridCacheEntryFlags flags) =>
        new() { Expiration = options?.Expiration, LocalCacheExpiration = options?.LocalCacheExpiration, Flags = flags };

    private static bool IsCacheable(string key) => !string.IsNullOrWhiteSpace(key) && key.Length <= MaxKeyLength && !key.AsSpan().ContainsAnyInRange((char)0, LastControl);

    // No key of an entry, because it has a control character.
    private static string ReloadOf(string key) => $"{key}{LastControl}reload";

    private static string[] TextsOf(IEnumerable<string>? tags)
    {
        string[] texts = tags is null ? [] : [.. tags];
        foreach (var text in texts) ArgumentNullException.ThrowIfNull(text, nameof(tags));
        return texts;
    }

    // Not Enum.HasFlag, which boxes in code that is not optimized.
    private static bool Has(HybridCacheEntryOptions? options, HybridCacheEntryFlags flags) => (FlagsOf(options) & flags) == flags;

    private static HybridCacheEntryFlags FlagsOf(HybridCacheEntryOptions? options) => options?.Flags ?? HybridCacheEntryFlags.None;

    private static bool IsSurelyFound<T>(T value) => default(T) is null ? value is not null : !EqualityComparer<T>.Default.Equals(value, default);

    /// <summary>The load of a call that only looks.</summary>
    private static class Nothing<T>
    {
        public static readonly Func<int, CancellationToken, ValueTask<T>> Load = static (_, _) => default;
    }

    private sealed record Look(HybridCacheEntryOptions Of, HybridCacheEntryOptions Options);
}
