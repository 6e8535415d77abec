namespace RequestCoalescing.Peers.Tests;

/// <summary>A call that comes after the work has failed, before its first await or after it.</summary>
public sealed class AfterFailureTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Singleflight_starts_a_new_run_after_a_failure(bool early)
    {
        var singleflight = new Singleflight();
        return TheNextCallSucceedsAsync(work => singleflight.CallAsync(_ => new ValueTask<int>(work())), early);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task HybridCache_starts_a_new_run_after_a_failure(bool early)
    {
        var cache = NewHybridCache();
        return TheNextCallSucceedsAsync(work => cache.CallAsync(_ => new ValueTask<int>(work())), early);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task FusionCache_starts_a_new_run_after_a_failure(bool early)
    {
        var cache = NewFusionCache();
        return TheNextCallSucceedsAsync(work => cache.CallAsync(_ => new ValueTask<int>(work())), early);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task LazyTasks_with_removal_start_a_new_run_after_a_failure(bool early)
    {
        var tasks = new LazyTasks<int>();
        return TheNextCallSucceedsAsync(work => tasks.CallAsync(work), early);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LazyTasks_without_removal_keep_the_failure_for_good(bool early)
    {
        var tasks = new LazyTasks<int>(removes: false);
        var error = new InvalidDataException();
        await FailAsync(work => tasks.CallAsync(work), early, error);

        var next = Assert.ThrowsAsync<InvalidDataException>(() => tasks.CallAsync(() => Task.FromResult(1)));
        Assert.Same(error, await next.SoonAsync());
    }

    private static async Task TheNextCallSucceedsAsync(Func<Func<Task<int>>, Task<int>> call, bool early)
    {
        await FailAsync(call, early, new InvalidDataException());
        Assert.Equal(1, await call(() => Task.FromResult(1)).SoonAsync());
    }

    private static async Task FailAsync(Func<Func<Task<int>>, Task<int>> call, bool early, InvalidDataException error)
    {
        async Task<int> LateAsync()
        {
            await Task.Yield();
            throw error;
        }

        var thrown = Assert.ThrowsAsync<InvalidDataException>(() => call(() => early ? throw error : LateAsync()));
        Assert.Same(error, await thrown.SoonAsync());
    }
}
