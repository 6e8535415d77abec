namespace RequestCoalescing.Tests;

/// <summary>A synchronization context that runs what is posted to it at once, on the thread that posts.</summary>
internal sealed class InlineContext : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => d(state);
}
