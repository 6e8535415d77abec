namespace RequestCoalescing.Peers.Tests;

/// <summary>What the work sees of its leader's async locals, such as the current trace, culture or tenant.</summary>
public sealed class ExecutionContextTests
{
    private readonly AsyncLocal<string?> _ambient = new() { Value = "leader" };

    [Theory]
    [InlineData(ContextFlow.Leader, false, "leader")]
    [InlineData(ContextFlow.Leader, true, "leader")]
    [InlineData(ContextFlow.Suppress, false, null)]
    [InlineData(ContextFlow.Suppress, true, null)]
    public async Task Singleflight_shows_the_work_what_its_option_says_with_a_token_or_without(ContextFlow flow, bool withToken, string? seen)
    {
        var singleflight = new Singleflight(new SingleflightOptions { ContextFlow = flow });
        Assert.Equal(seen, await SeenAsync(singleflight.CallAsync, withToken));
    }

    [Theory]
    [InlineData(false, "leader")]
    [InlineData(true, null)]
    public async Task HybridCache_shows_the_work_its_leaders_context_only_if_the_leader_passed_no_token(bool withToken, string? seen)
    {
        var cache = NewHybridCache();
        Assert.Equal(seen, await SeenAsync(cache.CallAsync, withToken));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FusionCache_shows_the_work_its_leaders_context(bool withToken)
    {
        var cache = NewFusionCache();
        Assert.Equal("leader", await SeenAsync(cache.CallAsync, withToken));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LazyTasks_show_the_work_its_leaders_context(bool withToken)
    {
        var tasks = new LazyTasks<string?>();
        Assert.Equal("leader", await SeenAsync((work, token) => tasks.CallAsync(() => work(default).AsTask(), token), withToken));
    }

    private async Task<string?> SeenAsync(Func<Func<CancellationToken, ValueTask<string?>>, CancellationToken, Task<string?>> call, bool withToken)
    {
        using var source = new CancellationTokenSource();
        return await call(_ => ValueTask.FromResult(_ambient.Value), withToken ? source.Token : default).SoonAsync();
    }
}
