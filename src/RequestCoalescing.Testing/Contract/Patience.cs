namespace RequestCoalescing.Testing;

/// <summary>
/// Waits for what must happen, and fails if it does not happen within <see cref="Limit"/>. Tests that wait in this way neither sleep nor depend
/// on the speed of the machine.
/// </summary>
public static class Patience
{
    /// <summary>How long a test waits: 30 seconds of real time. Only a failing test waits that long.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Waits until a condition holds.</summary>
    /// <param name="condition">The condition. It is checked repeatedly and must be cheap.</param>
    /// <param name="description">The condition in words, for the message of the failure: "Waited in vain until {description}."</param>
    /// <returns>Completes when the condition holds. Fails the test if it does not hold within <see cref="Limit"/>.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static async Task UntilAsync(Func<bool> condition, string description)
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(description);
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Limit, $"Waited in vain until {description}.");
            await Task.Yield();
        }
    }

    /// <summary>Waits until the instance has this number of subscribers: callers that wait for a flight.</summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="count">The number of subscribers of all flights together.</param>
    /// <returns>Completes when <see cref="SingleflightStats.TotalSubscribers"/> equals <paramref name="count"/>. Fails the test if it does not within <see cref="Limit"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="singleflight"/> is null.</exception>
    public static Task UntilSubscribersAsync<TKey>(this ISingleflight<TKey> singleflight, long count)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        return UntilAsync(() => singleflight.GetStats().TotalSubscribers == count, $"{count} callers wait");
    }

    /// <summary>Waits for a task that must end.</summary>
    /// <typeparam name="T">The type of the result.</typeparam>
    /// <param name="task">The task.</param>
    /// <returns>The outcome of the task.</returns>
    /// <exception cref="TimeoutException">The task did not end within <see cref="Limit"/>.</exception>
    public static Task<T> SoonAsync<T>(this Task<T> task) => task.WaitAsync(Limit);

    /// <inheritdoc cref="SoonAsync{T}(Task{T})"/>
    public static Task SoonAsync(this Task task) => task.WaitAsync(Limit);

    /// <summary>Waits for a task that must fail with an exception of this type, or of a type that derives from it.</summary>
    /// <typeparam name="TException">The type of the exception.</typeparam>
    /// <param name="task">The task.</param>
    /// <returns>The exception. Fails the test if the task ends in another way.</returns>
    public static Task<TException> ThrowsAsync<TException>(this Task task)
        where TException : Exception =>
        Assert.ThrowsAnyAsync<TException>(() => task.WaitAsync(Limit));

    /// <summary>Waits for a task that must be cancelled by this token.</summary>
    /// <param name="task">The task.</param>
    /// <param name="token">The token that the <see cref="OperationCanceledException"/> must carry.</param>
    /// <returns>Completes when the task is cancelled. Fails the test if the task ends in another way.</returns>
    public static async Task LeavesWithAsync(this Task task, CancellationToken token)
    {
        var exception = await task.ThrowsAsync<OperationCanceledException>().ConfigureAwait(false);
        Assert.Equal(token, exception.CancellationToken);
    }
}
