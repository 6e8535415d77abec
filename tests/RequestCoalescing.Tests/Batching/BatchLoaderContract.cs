using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Batching;

/// <summary>The rules of a batch loader, whatever <see cref="ISingleflight{TKey}"/> its keys fly with. Each rule is one test.</summary>
public abstract partial class BatchLoaderContract : IAsyncDisposable
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_maxDuration = TimeSpan.FromSeconds(30);

    private readonly List<BatchLoader<int, string>> _loaders = [];
    private readonly List<IAsyncDisposable> _engines = [];

    protected FakeTimeProvider Clock { get; } = new();

    private BatchBackend Backend { get; } = new();

    public async ValueTask DisposeAsync()
    {
        foreach (var disposable in _loaders.Concat(_engines))
        {
            var disposal = disposable.DisposeAsync().AsTask();
            await Patience.UntilAsync(
                () =>
                {
                    Clock.Advance(TimeSpan.FromDays(1));
                    return disposal.IsCompleted;
                },
                "the loader is disposed of");
            await disposal;
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Puts around an engine what the loader is to work with.</summary>
    protected abstract ISingleflight<int> Around(Singleflight<int> engine);

    private BatchLoader<int, string> Create(Action<BatchLoaderOptions>? configure = null, IEqualityComparer<int>? comparer = null, TimeProvider? clock = null) =>
        Create(Backend.LoadAsync, configure, comparer, clock);

    private BatchLoader<int, string> Create(
        Func<IReadOnlyList<int>, BatchAnswer<int, string>, CancellationToken, Task> load,
        Action<BatchLoaderOptions>? configure = null,
        IEqualityComparer<int>? comparer = null,
        TimeProvider? clock = null)
    {
        var options = new BatchLoaderOptions { Window = s_window, TimeProvider = clock ?? Clock };
        configure?.Invoke(options);
        var engine = new Singleflight<int>(new SingleflightOptions { MaxDuration = s_maxDuration, TimeProvider = Clock }, comparer);
        var loader = new BatchLoader<int, string>(load, options, Around(engine), comparer);
        _loaders.Add(loader);
        _engines.Add(engine);
        return loader;
    }

    /// <summary>Loads keys, and waits until all of them wait in the queue.</summary>
    private static async Task<Task<string?>[]> LoadAsync(BatchLoader<int, string> loader, params int[] keys)
    {
        var before = loader.Singleflight.GetStats().TotalSubscribers;
        var loads = keys.Select(key => loader.LoadAsync(key)).ToArray();
        await loader.Singleflight.UntilSubscribersAsync(before + keys.Length);
        return loads;
    }

    /// <summary>Lets the thread pool come to what it has been given, so that a batch that takes off too early is seen.</summary>
    private static async Task LetPoolRunAsync()
    {
        for (var i = 0; i < 20; i++)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ThreadPool.UnsafeQueueUserWorkItem(static reached => reached.SetResult(), reached, preferLocal: false);
            await reached.Task;
        }
    }

    private static Task IdleAsync(BatchLoader<int, string> loader) => Patience.UntilAsync(() => loader.GetStats() is { Running: 0, Pending: 0 }, "no batch runs or waits");
}
