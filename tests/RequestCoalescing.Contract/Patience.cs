using System.Diagnostics;

namespace RequestCoalescing.Contract;

/// <summary>Waits for what must come, and fails if it does not.</summary>
public static class Patience
{
    /// <summary>How long a test waits for what must come; only a failing test ever waits that long.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Waits until the condition holds.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, $"Waited in vain until {what}.");
            await Task.Yield();
        }
    }

    /// <summary>Waits until so many callers wait.</summary>
    public static Task UntilSubscribersAsync<TKey>(this ISingleflight<TKey> singleflight, long count)
        where TKey : notnull =>
        UntilAsync(() => singleflight.GetStats().TotalSubscribers == count, $"{count} callers wait");

    /// <summary>The end of a task that must end.</summary>
    public static Task<T> SoonAsync<T>(this Task<T> task) => task.WaitAsync(Limit);

    /// <inheritdoc cref="SoonAsync{T}(Task{T})"/>
    public static Task SoonAsync(this Task task) => task.WaitAsync(Limit);

    /// <summary>The end of a task that must end with this error.</summary>
    public static Task<TException> ThrowsAsync<TException>(this Task task)
        where TException : Exception =>
        Assert.ThrowsAnyAsync<TException>(() => task.WaitAsync(Limit));

    /// <summary>The end of a task that must end with a cancellation that carries this token.</summary>
    public static async Task LeavesWithAsync(this Task task, CancellationToken token)
    {
        var exception = await task.ThrowsAsync<OperationCanceledException>();
        Assert.Equal(token, exception.CancellationToken);
    }
}
