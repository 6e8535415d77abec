using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// What this node has forgotten, until Redis has been told. A flight of the key does not ask Redis for anything before: it would be shown what
/// the node has forgotten. Kept for as long as Redis cannot be told.
/// </summary>
internal sealed class Forgets(Func<Names, Task<RedisResult>> send, TimeSpan pause, TimeProvider clock) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (Names Names, Task<RedisResult> Sent)> _untold = [];
    private readonly CancellationTokenSource _end = new();
    private bool _isPausing;

    public Task<RedisResult> SendAsync(Names names)
    {
        lock (_gate) return Send(names);
    }

    /// <summary>What must be done before Redis is asked about this key; null if that is nothing.</summary>
    public Task<RedisResult>? Owed(Names names)
    {
        lock (_gate)
        {
            if (!_untold.TryGetValue(names.Key, out var untold)) return null;
            return HasFailed(untold.Sent) ? Send(names) : untold.Sent;
        }
    }

    /// <summary>Tells what could not be told.</summary>
    public void SendAgain()
    {
        lock (_gate)
        {
            foreach (var (names, sent) in _untold.Values.ToList())
            {
                if (HasFailed(sent)) Send(names);
            }
        }
    }

    public void Dispose() => _end.Cancel();

    private static bool HasFailed(Task sent) => sent.IsFaulted || sent.IsCanceled;

    private Task<RedisResult> Send(Names names)
    {
        var sent = send(names);
        _untold[names.Key] = (names, sent);
        sent.ContinueWith(Hear, names.Key, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return sent;
    }

    private void Hear(Task sent, object? key)
    {
        lock (_gate)
        {
            if (!_untold.TryGetValue((string)key!, out var untold) || untold.Sent != sent) return;
            if (!HasFailed(sent))
            {
                _untold.Remove((string)key!);
            }
            else if (!_isPausing && !_end.IsCancellationRequested)
            {
                _isPausing = true;
                _ = SendAgainLaterAsync(_end.Token);
            }
        }
    }

    private async Task SendAgainLaterAsync(CancellationToken end)
    {
        await Task.Delay(pause, clock, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (end.IsCancellationRequested) return;
        lock (_gate) _isPausing = false;
        SendAgain();
    }
}
