namespace RequestCoalescing.Contract;

/// <summary>Ways of awaiting a call that are not the usual one.</summary>
public static class OutsiderExtensions
{
    /// <summary>Awaits a call from outside the work that made it, after something else has come about.</summary>
    public static async Task<Task<T>> AsOutsiderAsync<T>(this ValueTask<T> call, Func<Task> first)
    {
        await first();
        return call.AsTask();
    }

    /// <summary>Has a caller wait that is to go on there; completes when it waits.</summary>
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
