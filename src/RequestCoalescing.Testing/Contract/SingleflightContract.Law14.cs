namespace RequestCoalescing.Testing;

// 14. All callers of a key ask for one result type.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law14_A_call_for_another_result_type_fails_at_once_and_the_flight_is_not_affected()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var caller = (await WaitingCallersAsync(singleflight, 1, backend.RunAsync))[0];

        var error = await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult("text")));
        Assert.Contains(nameof(Int32), error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(String), error.Message, StringComparison.Ordinal);

        Assert.Equal(1, singleflight.GetStats().TotalSubscribers);
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await caller.SoonAsync());
        Assert.Equal("text", await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult("text")).AsTask().SoonAsync());
    }
}
