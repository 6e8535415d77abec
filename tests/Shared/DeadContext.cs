namespace RequestCoalescing;

/// <summary>A synchronization context that refuses work. The caller that resumes on it is lost, and no other caller may be.</summary>
public sealed class DeadContext : SynchronizationContext
{
    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state) => throw new InvalidDataException();
}
