namespace RequestCoalescing.Testing;

/// <summary>
/// Keeps flights of a <see cref="FakeSingleflight{TKey}"/> in flight: their work does not begin until the hold is released. Disposing a hold
/// releases it.
/// </summary>
/// <remarks>All members are safe to call from any number of threads at once.</remarks>
public sealed class FlightHold : IDisposable
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<FlightHold> _remove;

    internal FlightHold(Action<FlightHold> remove) => _remove = remove;

    /// <summary>Whether the hold has been released.</summary>
    public bool IsReleased => _released.Task.IsCompleted;

    internal Task Released => _released.Task;

    /// <summary>Lets the work of the held flights begin, on the thread pool. Releasing a hold again has no effect.</summary>
    public void Release()
    {
        _remove(this);
        _released.TrySetResult();
    }

    /// <inheritdoc cref="Release"/>
    public void Dispose() => Release();
}
