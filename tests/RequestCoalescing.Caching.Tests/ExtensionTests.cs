namespace RequestCoalescing.Caching.Tests;

/// <summary>What the extensions of the two cache interfaces have in common.</summary>
public abstract class ExtensionTests
{
    protected const string Key = "post:1";
    private const int Old = 1, New = 2;

    protected Singleflight Flights { get; } = new();

    protected Backend<int> Backend { get; } = new();

    protected abstract ValueTask<int> GetAsync();

    protected abstract Task RemoveAsync();

    [Fact]
    public async Task Callers_of_a_miss_share_one_load_and_later_ones_hit_the_cache()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => CallAsync()).ToArray();
        (await Backend.NextRunAsync()).Succeed(New);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), value => Assert.Equal(New, value));
        Assert.Equal(New, await CallAsync().SoonAsync());
        Assert.Equal((1, 1L), (Backend.Runs, Flights.GetStats().Flights));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_load_that_began_before_a_removal_is_neither_stored_nor_joined(bool forgetsOnly)
    {
        var before = CallAsync();
        var load = await Backend.NextRunAsync();
        if (forgetsOnly) Flights.Forget(Key);
        else await RemoveAsync();
        var after = CallAsync();
        (await Backend.NextRunAsync()).Succeed(New);
        Assert.Equal(New, await after.SoonAsync());
        load.Succeed(Old);
        Assert.Equal(Old, await before.SoonAsync());
        Assert.Equal(New, await CallAsync().SoonAsync());
    }

    private Task<int> CallAsync() => GetAsync().AsTask();
}
