using System.Collections.Concurrent;

namespace RequestCoalescing.Peers.Tests;

/// <summary>The dictionary of lazy tasks that many write themselves. Each caller can bound its own wait; the work gets no token.</summary>
/// <param name="removes">Whether a run removes its entry when it ends. If not, the dictionary keeps the task for good.</param>
internal sealed class LazyTasks<T>(bool removes = true)
{
    private readonly ConcurrentDictionary<string, Lazy<Task<T>>> _tasks = new();

    public Task<T> CallAsync(Func<Task<T>> work, CancellationToken token = default) =>
        _tasks.GetOrAdd(PeerExtensions.Key, key => new Lazy<Task<T>>(() => removes ? RunAsync(key, work) : work())).Value.WaitAsync(token);

    public Task<T> CallAsync(Backend<T> backend, CancellationToken token = default) => CallAsync(() => backend.RunAsync(default).AsTask(), token);

    public bool Remove() => _tasks.TryRemove(PeerExtensions.Key, out _);

    private async Task<T> RunAsync(string key, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        finally
        {
            _tasks.TryRemove(key, out _);
        }
    }
}
