namespace RequestCoalescing;

/// <summary>Awaits under a synchronization context.</summary>
public static class ContextExtensions
{
    /// <summary>Awaits a call whose continuation is posted to this context. Completes when the call is awaited.</summary>
    public static async Task AwaitUnderAsync(this SynchronizationContext context, Func<ValueTask<int>> call)
    {
        async Task AwaitAsync() => await call();
        await Task.Factory.StartNew(
            () =>
            {
                SynchronizationContext.SetSynchronizationContext(context);
                _ = AwaitAsync();
                SynchronizationContext.SetSynchronizationContext(null);
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }
}
