using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Caching.Tests;

/// <summary>Plays a history on a cache, and checks that no reader that comes after a completed removal sees a value that was loaded before it.</summary>
/// <remarks>
/// All events draw their numbers from one counter. A load returns the number that it drew at its start, as a backend returns the version that it
/// read. A change that completes sets the least version that later readers of its keys may see. The change draws this number at its beginning. A removal of
/// a key, or of everything, draws it when the inner cache has removed, because loads that began during the removal are neither stored nor joined after it.
/// </remarks>
/// <param name="cache">The cache.</param>
/// <param name="inner">Its inner cache, whose calls can be held up. Null for a bare cache.</param>
/// <param name="flights">The flights of the cache. Null for a bare cache.</param>
/// <param name="clock">The clock. It moves on with each step, because HybridCache takes an entry for removed that it stored at the time of the removal.</param>
/// <param name="expire">Lets the entries of the first level expire.</param>
internal sealed class CacheHistory(HybridCache cache, HookedCache? inner, ISingleflight? flights, FakeTimeProvider clock, Action expire)
{
    public const int Keys = 3;
    public const int Tags = 2;

    private static readonly int[] s_keys = [.. Enumerable.Range(0, Keys)];
    private static readonly HybridCacheEntryOptions s_entry = new() { Expiration = TimeSpan.FromHours(1), LocalCacheExpiration = FirstLevelExpiration };
    private static readonly HybridCacheEntryOptions s_reload = new()
    {
        Expiration = s_entry.Expiration,
        LocalCacheExpiration = s_entry.LocalCacheExpiration,
        Flags = HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead,
    };

    private readonly Lock _gate = new();
    private readonly int[] _least = new int[Keys];
    private readonly List<Load> _loads = [];
    private readonly List<Call> _calls = [];
    private readonly List<Change> _changes = [];
    private readonly List<Held> _held = [];
    private readonly AsyncLocal<Change?> _change = new(); // the one whose call it is
    private int _now;

    public static TimeSpan FirstLevelExpiration => TimeSpan.FromMinutes(1);

    /// <summary>How many readers saw a value that was there, or was being loaded, before they came.</summary>
    public int Shared { get; private set; }

    public async Task PlayAsync(IEnumerable<CacheStep> steps)
    {
        try
        {
            foreach (var step in steps)
            {
                Do(step);
                await SettleAsync();
                clock.Advance(TimeSpan.FromMilliseconds(1));
            }

            await EndAsync();
            for (var key = 0; key < Keys; key++) Do(new CacheStep(CacheStepKind.Get, key));
            await EndAsync();
        }
        finally
        {
            foreach (var held in HeldNow()) held.Proceeds.SetResult(); // if the history has failed, the services are disposed of all the same
            foreach (var load in OpenLoads()) load.End.TrySetCanceled();
        }
    }

    private static string TagOf(int key) => $"tag{key % Tags}";

    private void Do(CacheStep step)
    {
        if (inner is not null)
        {
            inner.BeforeStore = () => StoreAsync(HoldPoint.Before);
            inner.AfterStore = () => StoreAsync(HoldPoint.After);
            inner.BeforeRemoval = () => RemoveAsync(HoldPoint.Before);
            inner.AfterRemoval = () => RemoveAsync(HoldPoint.After);
        }

        switch (step.Kind)
        {
            case CacheStepKind.Get:
                Get(step.Number, s_entry);
                break;
            case CacheStepKind.Reload:
                Get(step.Number, s_reload);
                break;
            case CacheStepKind.Set when !IsChanging([step.Number]):
                Begin(new Change([step.Number], IsSet: true), value => cache.SetAsync($"key{step.Number}", value, s_entry, [TagOf(step.Number)]));
                break;
            case CacheStepKind.Remove when !IsChanging([step.Number], setsOnly: true):
                Begin(new Change([step.Number], DrawsAtEnd: true), _ => cache.RemoveAsync($"key{step.Number}"));
                break;
            case CacheStepKind.RemoveByTag when !IsChanging(KeysOf(step.Number), setsOnly: true):
                Begin(new Change(KeysOf(step.Number)), _ => cache.RemoveByTagAsync($"tag{step.Number}"));
                break;
            case CacheStepKind.RemoveAll when !IsChanging(s_keys, setsOnly: true):
                Begin(new Change(s_keys, DrawsAtEnd: true), _ => cache.RemoveByTagAsync("*"));
                break;
            case CacheStepKind.Expire:
                expire();
                break;
            case CacheStepKind.Succeed when Pick(OpenLoads(), step.Number) is { } load:
                load.End.TrySetResult(load.Version);
                break;
            case CacheStepKind.Fail when Pick(OpenLoads(), step.Number) is { } load:
                load.End.TrySetException(new InvalidDataException());
                break;
            case CacheStepKind.Cancel when Pick(_calls, step.Number) is { } call:
                call.Leaves.Cancel();
                break;
            case CacheStepKind.Proceed when Pick(HeldNow(), step.Number) is { } held:
                lock (_gate) _held.Remove(held);
                held.Proceeds.SetResult();
                break;
        }

        Task StoreAsync(HoldPoint point) => step.Kind is CacheStepKind.Succeed or CacheStepKind.Proceed && step.Hold == point ? HoldAsync(isStore: true) : Task.CompletedTask;

        async Task RemoveAsync(HoldPoint point)
        {
            if (_change.Value is not { } change) return; // a flight removes what it has stored too late
            if (step.Hold == point) await HoldAsync(isStore: false);
            if (point == HoldPoint.After && change.DrawsAtEnd) change.Version = Draw();
        }
    }

    private static int[] KeysOf(int tag) => [.. s_keys.Where(key => key % Tags == tag)];

    private static T? Pick<T>(List<T> list, int number)
        where T : class => list.Count == 0 ? null : list[number % list.Count];

    private Task HoldAsync(bool isStore)
    {
        var held = new Held(isStore);
        lock (_gate) _held.Add(held);
        return held.Proceeds.Task;
    }

    private void Get(int key, HybridCacheEntryOptions options)
    {
        var leaves = new CancellationTokenSource();
        var (least, came) = (_least[key], Draw());
        _calls.Add(new Call(key, came, least, leaves, cache.GetOrCreateAsync($"key{key}", token => LoadAsync(key, token), options, [TagOf(key)], leaves.Token).AsTask()));
    }

    private ValueTask<int> LoadAsync(int key, CancellationToken token)
    {
        var load = new Load(key, Draw());
        lock (_gate) _loads.Add(load);
        token.Register(() => load.End.TrySetCanceled(token));
        return new ValueTask<int>(load.End.Task);
    }

    private void Begin(Change change, Func<int, ValueTask> act)
    {
        _changes.Add(change);
        change.Version = Draw();
        change.End = RunAsync();

        async Task RunAsync()
        {
            _change.Value = change;
            await act(change.Version);
            lock (_gate)
            {
                foreach (var key in change.Keys) _least[key] = Math.Max(_least[key], change.Version);
            }
        }
    }

    // The order of a value that is set and another change of its key at the same time would be unknown.
    private bool IsChanging(int[] keys, bool setsOnly = false) => _changes.Any(change => (change.IsSet || !setsOnly) && change.Keys.Intersect(keys).Any());

    private int Draw() => Interlocked.Increment(ref _now);

    private List<Load> OpenLoads()
    {
        lock (_gate) return [.. _loads.Where(load => !load.End.Task.IsCompleted)];
    }

    private List<Held> HeldNow()
    {
        lock (_gate) return [.. _held];
    }

    // Waits until nothing goes on that no later step has to end.
    private async Task SettleAsync()
    {
        await Patience.UntilAsync(IsSettled, "the cache has nothing left to do");
        foreach (var call in _calls.Where(call => call.Value.IsCompleted).ToList())
        {
            _calls.Remove(call);
            await CheckAsync(call);
        }

        foreach (var change in _changes.Where(change => change.End.IsCompleted).ToList())
        {
            _changes.Remove(change);
            await change.End;
        }
    }

    private bool IsSettled()
    {
        var (waiting, loads, held) = (_calls.Where(call => !call.Value.IsCompleted).ToList(), OpenLoads(), HeldNow());
        if (_changes.Any(change => !change.End.IsCompleted) && held.Count == 0) return false;
        if (flights is null) return waiting.All(call => loads.Any(load => load.Key == call.Key));
        var stats = flights.GetStats();
        return stats.TotalSubscribers == waiting.Count && stats.InFlightCount <= loads.Count + held.Count(held => held.IsStore);
    }

    private async Task CheckAsync(Call call)
    {
        int version;
        try
        {
            version = await call.Value;
        }
        catch (Exception error) when (error is InvalidDataException || (error is OperationCanceledException && call.Leaves.IsCancellationRequested) || flights is null)
        {
            return; // the load has failed, or the caller has left; a bare cache may also fail callers in other ways
        }

        Assert.True(version >= call.Least, $"A reader saw version {version} of key {call.Key}, after a change that demands version {call.Least} or later.");
        if (version < call.Came) Shared++;
    }

    private async Task EndAsync()
    {
        await SettleAsync();
        while (_calls.Count + _changes.Count + _held.Count + OpenLoads().Count > 0)
        {
            Do(new CacheStep(_held.Count > 0 ? CacheStepKind.Proceed : CacheStepKind.Succeed));
            await SettleAsync();
        }
    }

    private sealed record Load(int Key, int Version)
    {
        public TaskCompletionSource<int> End { get; } = new();
    }

    private sealed record Call(int Key, int Came, int Least, CancellationTokenSource Leaves, Task<int> Value);

    private sealed record Change(int[] Keys, bool IsSet = false, bool DrawsAtEnd = false)
    {
        public int Version { get; set; }

        public Task End { get; set; } = Task.CompletedTask;
    }

    private sealed record Held(bool IsStore)
    {
        public TaskCompletionSource Proceeds { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
