using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The forgets of this node that Redis has not confirmed yet (point 8 of the protocol). They are kept and sent again until it has. Until then no flight of
/// the key asks Redis for anything, as Redis would answer with the outcome that this node has forgotten.
/// </summary>
internal sealed class Forgets(Func<Names, Task<RedisResult>> send, TimeSpan pause, TimeProvider clock) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (Names Names, Task<RedisResult> Sent)> _unconfirmed = [];
    private readonly CancellationTokenSource _end = new();
    private bool _isPausing;

    public Task<RedisResult> SendAsync(Names names)
    {
        lock (_gate) return Send(names);
    }

    /// <summary>The forget that must be confirmed before Redis is asked about this key; null if there is none.</summary>
    public Task<RedisResult>? Owed(Names names)
    {
        lock (_gate)
        {
            if (!_unconfirmed.TryGetValue(names.Key, out var forget)) return null;
            return HasFailed(forget.Sent) ? Send(names) : forget.Sent;
        }
    }

    /// <summary>Sends every forget that failed again.</summary>
    public void SendAgain()
    {
        lock (_gate)
        {
            foreach (var (names, sent) in _unconfirmed.Values.ToList())
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
        _unconfirmed[names.Key] = (names, sent);
        sent.ContinueWith(Hear, names.Key, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return sent;
    }

    private void Hear(Task sent, object? key)
    {
        lock (_gate)
        {
            if (!_unconfirmed.TryGetValue((string)key!, out var forget) || forget.Sent != sent) return;
            if (!HasFailed(sent))
            {
                _unconfirmed.Remove((string)key!);
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
