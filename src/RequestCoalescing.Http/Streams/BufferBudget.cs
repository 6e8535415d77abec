using RequestCoalescing.Streaming;

namespace RequestCoalescing.Http.Streams;

/// <summary>The bytes that all bodies of a client may keep in memory.</summary>
internal sealed class BufferBudget(long most) : IBufferBudget
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _freed;
    private long _taken;

    /// <summary>The bytes that are in memory now.</summary>
    public long Taken => Volatile.Read(ref _taken);

    public Task? Take(long bytes)
    {
        lock (_gate)
        {
            if (_taken + bytes > most) return (_freed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            _taken += bytes;
            return null;
        }
    }

    public void GiveBack(long bytes)
    {
        TaskCompletionSource? freed;
        lock (_gate)
        {
            _taken -= bytes;
            (freed, _freed) = (_freed, null);
        }

        freed?.SetResult();
    }
}
