namespace RequestCoalescing.Testing;

// 1. A key has one current flight.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law01_Callers_of_one_key_share_one_run()
    {
        var singleflight = Create();
        var backend = new Backend<object>();

        var callers = await WaitingCallersAsync(singleflight, 100, backend.RunAsync);
        var run = await backend.NextRunAsync();
        Assert.Equal(1, backend.Runs);
        var result = new object();
        run.Succeed(result);

        Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Same(result, got));
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Law01_Threads_that_arrive_together_share_one_run()
    {
        const int Threads = 16;
        var singleflight = Create();

        for (var round = 0; round < 50; round++)
        {
            var backend = new Backend<int>();
            var callers = new Task<int>[Threads];
            Crowd.Run(Threads, index => callers[index] = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask());
            await singleflight.UntilSubscribersAsync(Threads);
            (await backend.NextRunAsync()).Succeed(round);

            Assert.All(await Task.WhenAll(callers).SoonAsync(), got => Assert.Equal(round, got));
            Assert.Equal(1, backend.Runs);
        }
    }

    [Fact]
    public async Task Law01_Calls_for_different_keys_do_not_wait_for_each_other()
    {
        var singleflight = Create();
        var slow = new Backend<int>();

        var waiting = singleflight.ExecuteAsync("slow", slow.RunAsync).AsTask();
        var run = await slow.NextRunAsync();
        for (var key = 0; key < 100; key++)
        {
            Assert.Equal(key, await singleflight.ExecuteAsync($"{key}", _ => ValueTask.FromResult(key)).AsTask().SoonAsync());
        }

        Assert.False(waiting.IsCompleted);
        run.Succeed(-1);
        Assert.Equal(-1, await waiting.SoonAsync());
    }

    [Fact]
    public async Task Law01_Work_that_blocks_its_thread_blocks_no_other_caller()
    {
        var singleflight = Create();
        using var release = new ManualResetEventSlim();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        var leader = Task.Run(async () => await singleflight.ExecuteAsync(Key, _ =>
        {
            started.SetResult();
            Assert.True(release.Wait(Patience.Limit));
            return ValueTask.FromResult(1);
        }));
        await started.Task.SoonAsync();

        // No lock is held while the work runs. Its key can be joined, forgotten and counted, and other keys can be called for.
        var follower = Task.Run(async () => await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(2)));
        await singleflight.UntilSubscribersAsync(2);
        for (var key = 0; key < 100; key++) await singleflight.ExecuteAsync($"{key}", _ => ValueTask.FromResult(key)).AsTask().SoonAsync();
        Assert.True(singleflight.Forget(Key));

        release.Set();
        Assert.Equal(1, await leader.SoonAsync());
        Assert.Equal(1, await follower.SoonAsync());
    }
}
