namespace RequestCoalescing.Testing;

// 11. ContextFlow chooses whether the work sees the context of its leader.
public abstract partial class SingleflightContract
{
    [Theory]
    [InlineData(ContextFlow.Leader, false)]
    [InlineData(ContextFlow.Leader, true)]
    [InlineData(ContextFlow.Suppress, false)]
    [InlineData(ContextFlow.Suppress, true)]
    public async Task Law11_The_work_sees_the_leaders_context_or_none(ContextFlow flow, bool withToken)
    {
        var singleflight = Create(options => options.ContextFlow = flow);
        var ambient = new AsyncLocal<string?> { Value = "leader" };
        using var source = new CancellationTokenSource();

        var seen = await singleflight.ExecuteAsync(
            Key,
            async _ =>
            {
                var early = ambient.Value;
                await Task.Yield();
                return (early, late: ambient.Value);
            },
            withToken ? source.Token : default).AsTask().SoonAsync();

        var expected = flow == ContextFlow.Leader ? "leader" : null;
        Assert.Equal((expected, expected), seen);
        Assert.Equal("leader", ambient.Value);
    }

    [Theory]
    [InlineData(ContextFlow.Leader)]
    [InlineData(ContextFlow.Suppress)]
    public async Task Law11_Async_locals_that_the_work_sets_do_not_leak_to_the_leader(ContextFlow flow)
    {
        var singleflight = Create(options => options.ContextFlow = flow);
        var ambient = new AsyncLocal<string?> { Value = "leader" };

        var call = singleflight.ExecuteAsync(Key, _ =>
        {
            ambient.Value = "work";
            return ValueTask.FromResult(1);
        });

        Assert.Equal("leader", ambient.Value);
        Assert.Equal(1, await call.AsTask().SoonAsync());
        Assert.Equal("leader", ambient.Value);
    }
}
