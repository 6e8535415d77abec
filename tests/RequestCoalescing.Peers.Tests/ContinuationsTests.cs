namespace RequestCoalescing.Peers.Tests;

/// <summary>The thread on which callers continue when the work ends. A caller that blocks it holds up what that thread was doing.</summary>
public sealed class ContinuationsTests
{
    [Fact]
    public async Task Singleflight_resumes_callers_on_the_thread_pool()
    {
        var singleflight = new Singleflight();
        Assert.Equal((false, false), await InlineAsync(work => singleflight.CallAsync(_ => new ValueTask<int>(work))));
    }

    [Fact]
    public async Task HybridCache_resumes_callers_on_the_thread_pool()
    {
        var cache = NewHybridCache();
        Assert.Equal((false, false), await InlineAsync(work => cache.CallAsync(_ => new ValueTask<int>(work))));
    }

    [Fact]
    public async Task FusionCache_resumes_the_leader_inline_on_the_thread_that_finished_the_work_and_the_waiters_on_the_thread_pool()
    {
        var cache = NewFusionCache();
        Assert.Equal((true, false), await InlineAsync(work => cache.CallAsync(_ => new ValueTask<int>(work))));
    }

    [Fact]
    public async Task LazyTasks_resume_one_caller_inline_on_the_thread_that_finished_the_work()
    {
        var tasks = new LazyTasks<int>();
        var (leader, follower) = await InlineAsync(work => tasks.CallAsync(() => work));
        Assert.True(leader ^ follower); // the runtime sends all but one of a task's continuations to the pool
    }

    /// <summary>Whether the leader and a follower continue on the thread that finishes the work, which is none of the pool's.</summary>
    private static async Task<(bool Leader, bool Follower)> InlineAsync(Func<Task<int>, Task<int>> call)
    {
        var work = new TaskCompletionSource<int>();
        var finisher = new Thread(() => work.SetResult(1));

        async Task<bool> CallAsync()
        {
            await call(work.Task).ConfigureAwait(false);
            return Thread.CurrentThread == finisher;
        }

        var leader = CallAsync();
        var follower = CallAsync();
        finisher.Start();
        return (await leader.SoonAsync(), await follower.SoonAsync());
    }
}
