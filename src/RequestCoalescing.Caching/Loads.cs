using System.Runtime.CompilerServices;

namespace RequestCoalescing.Caching;

/// <summary>
/// The loads that are under way, by key. A removal marks the loads of its key, and waits for those that are just storing their results. So a load has
/// either seen the removal, or has stored its result before the removal empties the cache.
/// </summary>
internal sealed class Loads
{
    private static readonly ConditionalWeakTable<object, Loads> s_ofCaches = [];

    private readonly Lock _gate = new();
    private readonly Dictionary<object, Load> _loads = []; // the first of a chain

    /// <summary>Returns the loads for a cache that is not wrapped.</summary>
    public static Loads Of(object cache) => s_ofCaches.GetValue(cache, static _ => new Loads());

    /// <summary>Begins a load. Dispose of it when it has ended.</summary>
    public Load Begin(object key)
    {
        var load = new Load(this, key);
        lock (_gate)
        {
            load.Next = _loads.GetValueOrDefault(key);
            _loads[key] = load;
        }

        return load;
    }

    /// <summary>Keeps the loads of the key from storing.</summary>
    /// <returns>Completes when those that are storing have done so.</returns>
    public Task RemoveAsync(object key)
    {
        lock (_gate) return Remove(_loads.GetValueOrDefault(key));
    }

    /// <summary>Keeps all loads from storing.</summary>
    /// <returns>Completes when those that are storing have done so.</returns>
    public Task RemoveAllAsync()
    {
        lock (_gate) return Task.WhenAll(_loads.Values.Select(Remove).ToArray());
    }

    private static Task Remove(Load? load)
    {
        List<Task>? storing = null;
        for (; load is not null; load = load.Next)
        {
            load.IsRemoved = true;
            if (load.Stored is { } stored) (storing ??= []).Add(stored.Task);
        }

        return storing is null ? Task.CompletedTask : Task.WhenAll(storing);
    }

    /// <summary>One load. The gate guards its fields.</summary>
    internal sealed class Load(Loads owner, object key) : IDisposable
    {
        public Load? Next;
        public bool IsRemoved;
        public TaskCompletionSource? Stored;

        /// <summary>Returns whether the load may store its result. Removals of its key wait for it from then on.</summary>
        public bool TryStore()
        {
            lock (owner._gate)
            {
                if (IsRemoved) return false;
                Stored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return true;
            }
        }

        /// <summary>Stores the result, unless the key has been removed. For caches that store synchronously: no removal comes in between.</summary>
        public void Store(Action store)
        {
            lock (owner._gate)
            {
                if (!IsRemoved) store();
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

            Stored?.SetResult();
        }
    }
}
