namespace RequestCoalescing.Contract;

/// <summary>Threads that start as one.</summary>
public static class Crowd
{
    /// <summary>Lets all threads through one gate at once and waits for them; fails with the first error of any.</summary>
    public static void Run(int threads, Action<int> action)
    {
        using var gate = new ManualResetEventSlim();
        using var ready = new CountdownEvent(threads);
        Exception? error = null;
        var crowd = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            ready.Signal();
            gate.Wait();
            try
            {
                action(index);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref error, exception, null);
            }
        })).ToArray();

        foreach (var thread in crowd) thread.Start();
        ready.Wait();
        gate.Set();
        foreach (var thread in crowd) Assert.True(thread.Join(Patience.Limit), "A thread hangs.");
        Assert.Null(error);
    }
}
