namespace RequestCoalescing.Peers.Tests;

/// <summary>A caller asks for a key in flight, and expects a result of another type.</summary>
public sealed class ResultTypesTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public Task Singleflight_throws_at_once_and_names_both_types()
    {
        var singleflight = new Singleflight();
        return ThrowsAtOnceAsync(singleflight.CallAsync(_backend.RunAsync), () => singleflight.CallAsync(_ => ValueTask.FromResult("text")));
    }

    [Fact]
    public Task HybridCache_throws_at_once_and_names_both_types()
    {
        var cache = NewHybridCache();
        return ThrowsAtOnceAsync(cache.CallAsync(_backend.RunAsync), () => cache.CallAsync(_ => ValueTask.FromResult("text"), CancellationToken.None));
    }

    [Fact]
    public async Task Singleflight_shares_a_run_between_callers_with_states_of_different_types()
    {
        var singleflight = new Singleflight();
        var leader = singleflight.ExecuteAsync(Key, _backend, static (backend, flight) => backend.RunAsync(flight.CancellationToken)).AsTask();
        var follower = singleflight.ExecuteAsync(Key, 2L, static (state, _) => ValueTask.FromResult((int)state)).AsTask();

        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 1], await Task.WhenAll(leader, follower).SoonAsync());
    }

    [Fact]
    public async Task HybridCache_also_refuses_the_same_result_type_if_the_state_has_another_type()
    {
        var cache = NewHybridCache();
        var leader = cache.GetOrCreateAsync(Key, _backend, static (backend, token) => backend.RunAsync(token)).AsTask();
        Assert.Throws<InvalidOperationException>(() => { _ = cache.GetOrCreateAsync(Key, 2L, static (state, _) => ValueTask.FromResult((int)state)); });

        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
    }

    [Fact]
    public async Task FusionCache_lets_the_caller_wait_for_the_load_and_then_throws_an_invalid_cast()
    {
        var cache = NewFusionCache();
        var leader = cache.CallAsync(_backend.RunAsync);
        var other = cache.CallAsync(_ => ValueTask.FromResult("text"));
        Assert.False(other.IsCompleted);

        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        await other.ThrowsAsync<InvalidCastException>();
    }

    private async Task ThrowsAtOnceAsync(Task<int> leader, Func<Task<string>> call)
    {
        var error = Assert.Throws<InvalidOperationException>(() => { _ = call(); });
        Assert.Contains(nameof(Int32), error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(String), error.Message, StringComparison.Ordinal);
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
    }
}
