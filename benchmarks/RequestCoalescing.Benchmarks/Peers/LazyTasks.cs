using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>A concurrent dictionary of lazy tasks, as many applications contain it. A caller can cancel only its own wait.</summary>
public sealed class LazyTasks : Peer
{
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _tasks = new();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        CallAsync(key, Task.FromResult(Value), cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override async ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken)
    {
        var lazy = _tasks.GetOrAdd(key, static (_, work) => new Lazy<Task<string>>(() => work), work);
        try
        {
            return await lazy.Value.WaitAsync(cancellationToken);
        }
        finally
        {
            _tasks.TryRemove(new(key, lazy));
        }
    }
}
