namespace RequestCoalescing.Benchmarks.Batching;

/// <summary>A batch loader as applications write it: a lock, a dictionary of what is wanted, and a timer. It has no cancellation, no limits, no telemetry, and does not join keys of a running batch.</summary>
internal sealed class HandWrittenLoader : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Func<IReadOnlyList<long>, CancellationToken, Task<IReadOnlyDictionary<long, string>>> _load;
    private readonly int _maxBatchSize;
    private readonly TimeSpan _window;
    private readonly Timer _timer;
    private Dictionary<long, TaskCompletionSource<string?>> _wanted = [];

    public HandWrittenLoader(Func<IReadOnlyList<long>, CancellationToken, Task<IReadOnlyDictionary<long, string>>> load, int maxBatchSize, TimeSpan window)
    {
        (_load, _maxBatchSize, _window) = (load, maxBatchSize, window);
        _timer = new Timer(static loader => ((HandWrittenLoader)loader!).TakeOff(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public Task<string?> LoadAsync(long key)
    {
        Dictionary<long, TaskCompletionSource<string?>>? full = null;
        TaskCompletionSource<string?> wanted;
        lock (_gate)
        {
            if (_wanted.TryGetValue(key, out var found)) return found.Task;
            if (_wanted.Count == 0) _timer.Change(_window, Timeout.InfiniteTimeSpan);
            _wanted.Add(key, wanted = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously));
            if (_wanted.Count == _maxBatchSize) (full, _wanted) = (_wanted, []);
        }

        if (full is not null) ThreadPool.QueueUserWorkItem(static state => _ = state.Loader.LoadAsync(state.Batch), (Loader: this, Batch: full), preferLocal: false);
        return wanted.Task;
    }

    public void Dispose() => _timer.Dispose();

    private void TakeOff()
    {
        Dictionary<long, TaskCompletionSource<string?>> due;
        lock (_gate) (due, _wanted) = (_wanted, []);
        if (due.Count > 0) _ = LoadAsync(due);
    }

    private async Task LoadAsync(Dictionary<long, TaskCompletionSource<string?>> batch)
    {
        try
        {
            var values = await _load([.. batch.Keys], CancellationToken.None);
            foreach (var (key, wanted) in batch) wanted.SetResult(values.GetValueOrDefault(key));
        }
        catch (Exception exception)
        {
            foreach (var wanted in batch.Values) wanted.TrySetException(exception);
        }
    }
}
