namespace RequestCoalescing.Contract;

/// <summary>A synchronization context that takes no work: its caller is lost with it, but nobody else may be.</summary>
public sealed class DeadContext : SynchronizationContext
{
    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state) => throw new InvalidDataException();
}
