namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// What this node has forgotten, until Redis has been told. A flight of the key does not ask Redis for anything before: it would be shown what
/// the node has forgotten. Kept for as long as Redis cannot be reached.
/// </summary>
internal sealed class Forgets(Func<Names, Task> send)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (Names Names, Task Sent)> _untold = [];

    public Task SendAsync(Names names)
    {
        lock (_gate) return Send(names);
    }

    /// <summary>What must be done before Redis is asked about this key; null if that is nothing.</summary>
    public Task? Owed(Names names)
    {
        lock (_gate)
        {
            if (!_untold.TryGetValue(names.Key, out var untold)) return null;
            return untold.Sent.IsFaulted || untold.Sent.IsCanceled ? Send(names) : untold.Sent;
        }
    }

    /// <summary>Tells what could not be told.</summary>
    public void SendAgain()
    {
        lock (_gate)
        {
            foreach (var (names, sent) in _untold.Values.ToList())
            {
                if (sent.IsFaulted || sent.IsCanceled) _ = Send(names);
            }
        }
    }

    private Task Send(Names names)
    {
        var sent = send(names);
        _untold[names.Key] = (names, sent);
        sent.ContinueWith(Told, names.Key, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return sent;
    }

    private void Told(Task sent, object? key)
    {
        lock (_gate)
        {
            if (_untold.TryGetValue((string)key!, out var untold) && untold.Sent == sent) _untold.Remove((string)key!);
        }
    }
}
