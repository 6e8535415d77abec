namespace RequestCoalescing.Testing;

// 12. Subscribers resume on the thread pool.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law12_Subscribers_resume_on_the_thread_pool_and_not_on_the_thread_that_ended_the_work()
    {
        var singleflight = Create();
        var work = new TaskCompletionSource<int>(); // runs a continuation inline unless the continuation prevents it
        Thread? finisher = null;
        using var landed = new ManualResetEventSlim();

        async Task CallAsync()
        {
            await singleflight.ExecuteAsync(Key, _ => work.Task).ConfigureAwait(false);
            Assert.True(Thread.CurrentThread.IsThreadPoolThread);
            Assert.NotSame(finisher, Thread.CurrentThread);
            Assert.True(landed.Wait(Patience.Limit)); // a subscriber that blocks does not block the thread that ended the work
        }

        var callers = Enumerable.Range(0, 3).Select(_ => CallAsync()).ToArray();
        await singleflight.UntilSubscribersAsync(3);
        finisher = new Thread(() =>
        {
            work.SetResult(1);
            landed.Set();
        });
        finisher.Start();

        await Task.WhenAll(callers).SoonAsync();
    }
}
