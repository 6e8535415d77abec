namespace RequestCoalescing.Testing;

// 6. Forget separates earlier callers from later ones.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law06_Callers_after_Forget_start_a_new_flight_and_earlier_callers_get_the_old_outcome()
    {
        var singleflight = Create();
        var backend = new Backend<int>();

        var before = await WaitingCallersAsync(singleflight, 3, backend.RunAsync);
        var old = await backend.NextRunAsync();
        Assert.True(singleflight.Forget(Key));
        var after = await WaitingCallersAsync(singleflight, 3, backend.RunAsync);
        var current = await backend.NextRunAsync();

        current.Succeed(2);
        Assert.All(await Task.WhenAll(after).SoonAsync(), got => Assert.Equal(2, got));
        Assert.All(before, caller => Assert.False(caller.IsCompleted));
        old.Succeed(1);
        Assert.All(await Task.WhenAll(before).SoonAsync(), got => Assert.Equal(1, got));
        Assert.Equal(2, backend.Runs);
    }

    [Fact]
    public async Task Law06_Forget_returns_true_only_if_the_key_has_a_current_flight()
    {
        var singleflight = Create();
        var backend = new Backend<int>();

        Assert.False(singleflight.Forget(Key));
        var caller = singleflight.ExecuteAsync(Key, backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        Assert.False(singleflight.Forget("another"));
        Assert.True(singleflight.Forget(Key));
        Assert.False(singleflight.Forget(Key));
        run.Succeed(1);
        await caller.SoonAsync();
        Assert.False(singleflight.Forget(Key));
    }

    [Fact]
    public async Task Law06_A_forgotten_flight_is_not_current()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        ValueTask<int> Call() => singleflight.ExecuteAsync(Key, backend, static (backend, flight) => backend.RunInFlightAsync(flight));

        var before = Call().AsTask();
        var old = await backend.NextRunAsync();
        Assert.True(old.Flight.IsCurrent);
        Assert.True(await old.Flight.ConfirmCurrentAsync().AsTask().SoonAsync());
        singleflight.Forget(Key);
        Assert.False(old.Flight.IsCurrent);
        Assert.False(await old.Flight.ConfirmCurrentAsync().AsTask().SoonAsync());

        var after = Call().AsTask();
        var current = await backend.NextRunAsync();
        Assert.True(current.Flight.IsCurrent);
        Assert.False(old.Flight.IsCurrent);
        Assert.False(old.Token.IsCancellationRequested);

        old.Succeed(1);
        current.Succeed(2);
        await Task.WhenAll(before, after).SoonAsync();
    }

    [Fact]
    public async Task Law06_Clear_forgets_all_flights_and_their_callers_still_get_the_outcomes()
    {
        var singleflight = Create();
        var backends = Enumerable.Range(0, 20).Select(_ => new Backend<int>()).ToArray();
        var before = backends.Select((backend, key) => singleflight.ExecuteAsync($"{key}", backend.RunAsync).AsTask()).ToArray();
        var old = await Task.WhenAll(backends.Select(backend => backend.NextRunAsync()));

        singleflight.Clear();

        for (var key = 0; key < backends.Length; key++)
        {
            Assert.Equal(-1, await singleflight.ExecuteAsync($"{key}", _ => ValueTask.FromResult(-1)).AsTask().SoonAsync());
            old[key].Succeed(key);
            Assert.Equal(key, await before[key].SoonAsync());
        }
    }
}
