namespace RequestCoalescing.Testing;

// 8. JoinWindow limits how old a flight may be when it is joined.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law08_A_caller_that_comes_after_the_join_window_starts_a_new_current_flight()
    {
        var singleflight = Create(options => options.JoinWindow = s_second);
        var backend = new Backend<int>();
        ValueTask<int> Call() => singleflight.ExecuteAsync(Key, backend, static (backend, flight) => backend.RunInFlightAsync(flight));

        var first = Call().AsTask();
        var old = await backend.NextRunAsync();
        Clock.Advance(s_second);
        var inTime = Call().AsTask();
        await singleflight.UntilSubscribersAsync(2);
        Assert.Equal(1, backend.Runs);

        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var late = Call().AsTask();
        var current = await backend.NextRunAsync();
        var joining = Call().AsTask();
        await singleflight.UntilSubscribersAsync(4);
        Assert.False(old.Flight.IsCurrent);
        Assert.True(current.Flight.IsCurrent);

        old.Succeed(1);
        current.Succeed(2);
        Assert.Equal((IEnumerable<int>)[1, 1, 2, 2], await Task.WhenAll(first, inTime, late, joining).SoonAsync());
        Assert.Equal(2, backend.Runs);
    }
}
