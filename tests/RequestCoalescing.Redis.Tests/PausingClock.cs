using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Redis.Tests;

/// <summary>A fake clock. One thread can be paused after it has read the time.</summary>
internal sealed class PausingClock : FakeTimeProvider
{
    private readonly TaskCompletionSource _paused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _resumed = new();
    private int _thread;

    /// <summary>Completes when the thread is paused.</summary>
    public Task Paused => _paused.Task;

    /// <summary>Makes this thread wait for <see cref="Resume"/> after it has next read the time. It then gets the time from before the wait.</summary>
    public void PauseThisThread() => Volatile.Write(ref _thread, Environment.CurrentManagedThreadId);

    public void Resume() => _resumed.Set();

    public override long GetTimestamp()
    {
        var now = base.GetTimestamp();
        if (Interlocked.CompareExchange(ref _thread, 0, Environment.CurrentManagedThreadId) != Environment.CurrentManagedThreadId) return now;
        _paused.SetResult();
        _resumed.Wait();
        return now;
    }
}
