using System.Runtime.CompilerServices;

namespace RequestCoalescing.Caching;

/// <summary>
/// The loads that are under way, and the removals. A removal marks the loads of its keys, and those that begin while it lasts. Then it waits for the loads
/// that are writing just now: they store, or bring a value into a nearer level. So a load either knows of the removal, or has written before the cache is emptied.
/// </summary>
internal sealed class Loads
{
    private static readonly ConditionalWeakTable<object, Loads> s_ofCaches = [];

    private readonly Lock _gate = new();
    private readonly Dictionary<object, Load> _loads = []; // the first of a chain
    private readonly Dictionary<object, int> _removals = []; // how many removals of the key last
    private int _removalsOfAll;

    /// <summary>Returns the loads for a cache that is not wrapped.</summary>
    public static Loads Of(object cache) => s_ofCaches.GetValue(cache, static _ => new Loads());

    /// <summary>Begins a load. Dispose of it when it has ended.</summary>
    public Load Begin(object key)
    {
        var load = new Load(this, key);
        lock (_gate)
        {
            load.IsRemoved = _removalsOfAll > 0 || _removals.ContainsKey(key);
            load.Next = _loads.GetValueOrDefault(key);
            _loads[key] = load;
        }

        return load;
    }

    /// <summary>Keeps the loads of the keys from writing into the cache, until the removal is disposed of.</summary>
    public Removal Remove(object[] keys)
    {
        lock (_gate)
        {
            foreach (var key in keys) _removals[key] = _removals.GetValueOrDefault(key) + 1;
            return new Removal(this, keys, Task.WhenAll(keys.Select(key => Mark(_loads.GetValueOrDefault(key))).ToArray()));
        }
    }

    /// <summary>Keeps all loads from writing into the cache, until the removal is disposed of.</summary>
    public Removal RemoveAll()
    {
        lock (_gate)
        {
            _removalsOfAll++;
            return new Removal(this, null, Task.WhenAll(_loads.Values.Select(Mark).ToArray()));
        }
    }

    private static Task Mark(Load? load)
    {
        List<Task>? writing = null;
        for (; load is not null; load = load.Next)
        {
            load.IsRemoved = true;
            if (load.Writing is { } written) (writing ??= []).Add(written.Task);
        }

        return writing is null ? Task.CompletedTask : Task.WhenAll(writing);
    }

    /// <summary>A removal that lasts.</summary>
    /// <param name="loads">The loads.</param>
    /// <param name="keys">Its keys. Null for all.</param>
    /// <param name="written">Completes when the loads that were writing have done so.</param>
    internal sealed class Removal(Loads loads, object[]? keys, Task written) : IDisposable
    {
        public Task Written => written;

        public void Dispose()
        {
            lock (loads._gate)
            {
                if (keys is null) loads._removalsOfAll--;
                foreach (var key in keys ?? [])
                {
                    if (--loads._removals[key] == 0) loads._removals.Remove(key);
                }
            }
        }
    }

    /// <summary>One load. The gate guards its fields.</summary>
    internal sealed class Load(Loads owner, object key) : IDisposable
    {
        public Load? Next;
        public bool IsRemoved;
        public TaskCompletionSource? Writing;

        /// <summary>Returns whether the load may write into the cache. Removals of its key wait until it has written.</summary>
        public bool TryWrite()
        {
            lock (owner._gate)
            {
                if (IsRemoved) return false;
                Writing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return true;
            }
        }

        public void EndWrite()
        {
            TaskCompletionSource? written;
            lock (owner._gate) (written, Writing) = (Writing, null);
            written?.SetResult();
        }

        /// <summary>Looks or stores, unless the key is removed. For caches that do so synchronously: no removal begins meanwhile.</summary>
        public void Do(Action action)
        {
            lock (owner._gate)
            {
                if (!IsRemoved) action();
            }
        }

        public void Dispose()
        {
            lock (owner._gate)
            {
                var first = owner._loads[key];
                if (first == this)
                {
                    if (Next is null) owner._loads.Remove(key);
                    else owner._loads[key] = Next;
                }
                else
                {
                    while (first.Next != this) first = first.Next!;
                    first.Next = Next;
                }
            }

            EndWrite();
        }
    }
}
