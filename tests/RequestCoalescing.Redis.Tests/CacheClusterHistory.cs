using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;

namespace RequestCoalescing.Redis.Tests;

/// <summary>
/// Records what the caches of all nodes do, in the order of one counter. A value is the number that its load drew when it began, or that a set drew. The check
/// allows what docs/caching.md puts beyond the reach of the cache, and no more.
/// </summary>
/// <param name="readEverywhere">Reads a key on all nodes, whether the reads succeed or not.</param>
internal sealed partial class CacheClusterHistory(Func<string, Task> readEverywhere)
{
    // No call reads or writes the first level, which removals of other nodes do not reach.
    private static readonly HybridCacheEntryOptions s_secondLevel = new() { Flags = HybridCacheEntryFlags.DisableLocalCache };

    private readonly ConcurrentQueue<Read> _reads = new();
    private readonly ConcurrentQueue<Change> _changes = new();
    private readonly ConcurrentQueue<Store> _stores = new();
    private readonly ConcurrentDictionary<int, int> _loadedAt = new(); // when the load of a value had ended
    private readonly ConcurrentDictionary<int, int> _setAt = new(); // when the call that set a value had completed
    private int _now;
    private int _shared;

    public int Reads => _reads.Count;

    public int Changes => _changes.Count;

    /// <summary>How many readers saw a value that was there, or was being loaded, before they came.</summary>
    public int Shared => Volatile.Read(ref _shared);

    /// <param name="cache">The cache of the node.</param>
    /// <param name="key">The key.</param>
    /// <param name="load">Returns whether the load succeeds.</param>
    /// <param name="isAlive">Whether the node was connected for the whole call. Otherwise the value does not count.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    public async Task ReadAsync(HybridCache cache, string key, Func<CancellationToken, Task<bool>> load, Func<bool> isAlive, CancellationToken cancellationToken)
    {
        var came = Now();
        var value = await cache.GetOrCreateAsync(key, LoadAsync, s_secondLevel, cancellationToken: cancellationToken);
        if (!isAlive()) return;
        var read = new Read(key, came, NumberIn(value));
        _reads.Enqueue(read);
        if (read.Value < read.Came) Interlocked.Increment(ref _shared);

        async ValueTask<string> LoadAsync(CancellationToken token)
        {
            var began = Now();
            if (!await load(token)) throw new InvalidDataException();
            _loadedAt[began] = Now();
            return $"<{began}>";
        }
    }

    public async Task RemoveAsync(HybridCache cache, int node, string key, Func<bool> isAlive)
    {
        var called = Now();
        await cache.RemoveAsync(key);
        await CompleteAsync(node, key, called, Now(), isAlive);
    }

    public async Task SetAsync(HybridCache cache, int node, string key, Func<bool> isAlive)
    {
        var called = Now();
        _setAt[called] = int.MaxValue;
        await cache.SetAsync(key, $"<{called}>", s_secondLevel);
        await CompleteAsync(node, key, called, _setAt[called] = Now(), isAlive);
    }

    /// <summary>Records the stores of a node.</summary>
    public IDistributedCache Record(IDistributedCache inner, int node) => new Recorder(this, inner, node);

    /// <summary>Returns a reader that saw what was loaded, or set, before a change that had completed before the reader came. Null if there is none.</summary>
    public string? FindViolation(Func<int, bool> isAlive)
    {
        var changes = _changes.ToLookup(change => change.Key);
        var stores = _stores.ToLookup(store => store.Value);
        foreach (var read in _reads)
        {
            foreach (var change in changes[read.Key].Where(change => change.Done < read.Came && _setAt.GetValueOrDefault(read.Value, read.Value) < change.Called))
            {
                // A store of another node that the change did not find. That node removes the value again unless it is killed, but readers may come before that.
                if (stores[read.Value].Any(store => store.Node != change.Node && store.Ended > change.Called && (_loadedAt.GetValueOrDefault(read.Value) < change.Heard || !isAlive(store.Node)))) continue;
                return $"{read} came after {change}. Its value: {string.Join(", ", stores[read.Value])}.";
            }
        }

        return null;
    }

    // A reader gets an outcome only when its node has forgotten the older flight, or when that flight has landed.
    private async Task CompleteAsync(int node, string key, int called, int done, Func<bool> isAlive)
    {
        if (!isAlive()) return;
        await readEverywhere(key);
        _changes.Enqueue(new Change(node, key, called, done, Now()));
    }

    private static int NumberIn(string value) => int.Parse(Number().Match(value).Groups[1].Value, CultureInfo.InvariantCulture);

    private int Now() => Interlocked.Increment(ref _now);

    [GeneratedRegex("<([0-9]+)>")]
    private static partial Regex Number();

    private sealed record Read(string Key, int Came, int Value);

    private sealed record Change(int Node, string Key, int Called, int Done, int Heard);

    private sealed record Store(int Node, int Value)
    {
        public int Ended { get; set; } = int.MaxValue;
    }

    private sealed class Recorder(CacheClusterHistory history, IDistributedCache inner, int node) : IDistributedCache
    {
        public async Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
        {
            var store = new Store(node, NumberIn(Encoding.Latin1.GetString(value)));
            history._stores.Enqueue(store);
            await inner.SetAsync(key, value, options, token);
            store.Ended = history.Now();
        }

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => inner.GetAsync(key, token);

        public Task RemoveAsync(string key, CancellationToken token = default) => inner.RemoveAsync(key, token);

        public Task RefreshAsync(string key, CancellationToken token = default) => inner.RefreshAsync(key, token);

        public byte[]? Get(string key) => inner.Get(key);

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => inner.Set(key, value, options);

        public void Remove(string key) => inner.Remove(key);

        public void Refresh(string key) => inner.Refresh(key);
    }
}
