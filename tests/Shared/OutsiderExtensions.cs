namespace RequestCoalescing;

/// <summary>Unusual ways to await a call.</summary>
public static class OutsiderExtensions
{
    /// <summary>Awaits a call outside of the work that made it, after another task has ended.</summary>
    public static async Task<Task<T>> AsOutsiderAsync<T>(this ValueTask<T> call, Func<Task> first)
    {
        await first();
        return call.AsTask();
    }

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
