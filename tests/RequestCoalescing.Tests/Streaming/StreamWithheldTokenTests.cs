using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>A decorator withholds the tokens of the callers from the engine, so that the flight does not hear of callers that leave.</summary>
public sealed class StreamWithheldTokenTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly StreamBackend<int> _backend = new();
    private readonly HookedSingleflight _singleflight;

    public StreamWithheldTokenTests() => _singleflight = new HookedSingleflight(new Singleflight(new SingleflightOptions { TimeProvider = _clock })) { HidesToken = true };

    [Fact]
    public async Task Followers_read_the_items_as_they_come_also_after_the_leader_has_left()
    {
        var leader = Read();
        await using var follower = Read();
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await _singleflight.UntilSubscribersAsync(2);
        var run = await _backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal((1, 1), (await led, await followed));

        await leader.DisposeAsync();

        run.Yield(Enumerable.Range(2, 100)); // more than the buffer has room for
        run.End();
        Assert.Equal(Enumerable.Range(2, 100), await follower.RestAsync());
    }

    [Fact]
    public async Task A_caller_whose_token_fires_leaves_alone()
    {
        using var leaving = new CancellationTokenSource();
        await using var leader = Read();
        await using var follower = Read(leaving.Token);
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await _singleflight.UntilSubscribersAsync(2);
        var run = await _backend.NextRunAsync();

        await leaving.CancelAsync();

        await followed.LeavesWithAsync(leaving.Token);
        run.Yield(1);
        Assert.Equal(1, await led);
    }

    [Fact]
    public async Task A_caller_whose_token_fires_before_the_source_begins_leaves_alone()
    {
        using var leaving = new CancellationTokenSource();
        var gate = new TaskCompletionSource();
        _singleflight.Work = gate.Task;
        await using var leader = Read();
        await using var follower = Read(leaving.Token);
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await _singleflight.UntilSubscribersAsync(2);

        await leaving.CancelAsync();

        await followed.LeavesWithAsync(leaving.Token);
        gate.SetResult();
        (await _backend.NextRunAsync()).Yield(1);
        Assert.Equal(1, await led);
    }

    [Fact]
    public async Task A_source_that_waits_for_readers_when_all_have_left_is_silent_for_too_long()
    {
        var reader = Read();
        var first = reader.NextAsync();
        var run = await _backend.NextRunAsync();
        run.Yield(Enumerable.Range(0, 100));
        Assert.Equal(0, await first);
        await reader.DisposeAsync();

        await Patience.UntilAsync(
            () =>
            {
                _clock.Advance(new StreamOptions().MaxIdle);
                return _singleflight.GetStats().TimedOut == 1;
            },
            "the flight has expired");

        await run.DisposedAsync();
    }

    private StreamCaller<int> Read(CancellationToken token = default) =>
        new(_singleflight.ExecuteStreamAsync("key", _backend.Run, new StreamOptions { MaxBufferedItems = 8 }, token));
}
