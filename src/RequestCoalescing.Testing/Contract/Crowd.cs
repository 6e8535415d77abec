namespace RequestCoalescing.Testing;

/// <summary>Runs a race: threads that start at the same moment.</summary>
public static class Crowd
{
    /// <summary>Starts the threads, lets all of them go at once, and waits for them.</summary>
    /// <param name="threads">How many threads to start. Range: 1 and up.</param>
    /// <param name="action">Runs on each thread, with the thread's index from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is less than 1.</exception>
    /// <exception cref="ArgumentNullException"><paramref name="action"/> is null.</exception>
    /// <exception cref="AggregateException">An action threw. The exception contains the errors of all threads.</exception>
    public static void Run(int threads, Action<int> action)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentNullException.ThrowIfNull(action);
        using var start = new Barrier(threads);
        var errors = new Exception?[threads];
        var crowd = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            start.SignalAndWait();
            try
            {
                action(index);
            }
            catch (Exception exception)
            {
                errors[index] = exception;
            }
        })).ToArray();

        foreach (var thread in crowd) thread.Start();
        foreach (var thread in crowd) Assert.True(thread.Join(Patience.Limit), "A thread has not ended.");
        if (errors.OfType<Exception>().ToArray() is { Length: > 0 } thrown) throw new AggregateException(thrown);
    }
}
