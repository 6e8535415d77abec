namespace RequestCoalescing.Contract;

// 12. Landing is gentle.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law12_Subscribers_resume_on_the_pool_and_never_on_the_thread_that_finished_the_work()
    {
        var singleflight = Create();
        var work = new TaskCompletionSource<int>(); // one that runs continuations inline, if they let it
        Thread? finisher = null;
        using var landed = new ManualResetEventSlim();

        async Task CallAsync()
        {
            await singleflight.ExecuteAsync(Key, _ => work.Task).ConfigureAwait(false);
            Assert.True(Thread.CurrentThread.IsThreadPoolThread);
            Assert.NotSame(finisher, Thread.CurrentThread);
            Assert.True(landed.Wait(Patience.Limit)); // who blocks here does not block the thread that finished the work
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

    [Fact]
    public async Task Law12_A_synchronization_context_that_takes_no_work_loses_its_own_caller_only()
    {
        var singleflight = Create();
        using var aborted = new CancellationTokenSource();
        using var alive = new CancellationTokenSource();
        var backend = new Backend<int>();
        var leader = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask();
        await new DeadContext().AwaitUnderAsync(() => singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token));
        var others = Enumerable.Range(0, 3).Select(_ => singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token).AsTask()).ToArray();
        var run = await backend.NextRunAsync();
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.All(await Task.WhenAll(others).SoonAsync(), got => Assert.Equal(1, got));

        await new DeadContext().AwaitUnderAsync(() => singleflight.ExecuteAsync(Key, backend.RunAsync, aborted.Token));
        run = await backend.NextRunAsync();
        aborted.Cancel();
        await run.CancelledAsync();
    }

    private sealed class DeadContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => throw new InvalidDataException();
    }
}
