using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>A decorator runs the work of a stream again, in the same flight.</summary>
public sealed class StreamRepeatTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly StreamBackend<int> _backend = new();
    private readonly HookedSingleflight _singleflight;

    public StreamRepeatTests() => _singleflight = new HookedSingleflight(new Singleflight(new SingleflightOptions { TimeProvider = _clock })) { RepeatsWork = true };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_callers_read_the_second_run_if_the_first_fails_before_its_first_item(bool hidesFlight)
    {
        _singleflight.HidesFlight = hidesFlight;
        await using var leader = Read();
        await using var follower = Read();
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await _singleflight.UntilSubscribersAsync(2);
        (await _backend.NextRunAsync()).Fail(new IOException());

        var run = await _backend.NextRunAsync();
        run.Yield(1);

        Assert.Equal((1, 1), (await led, await followed));
        _clock.Advance(new SingleflightOptions().MaxDuration); // the flight streams
        run.Yield(2);
        run.End();
        Assert.Equal([2], await leader.RestAsync());
        Assert.Equal([2], await follower.RestAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_callers_get_the_error_of_the_first_run_if_it_fails_amid_the_stream(bool hidesFlight)
    {
        _singleflight.HidesFlight = hidesFlight;
        await using var leader = Read();
        await using var follower = Read();
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await _singleflight.UntilSubscribersAsync(2);
        var run = await _backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal((1, 1), (await led, await followed));
        var error = new IOException();

        run.Fail(error);

        Assert.Same(error, await leader.NextAsync().ThrowsAsync<IOException>());
        Assert.Same(error, await follower.NextAsync().ThrowsAsync<IOException>());
        Assert.Equal(1, _backend.Runs);
    }

    private StreamCaller<int> Read() => new(_singleflight.ExecuteStreamAsync("key", _backend.Run, new StreamOptions { MaxIdle = Timeout.InfiniteTimeSpan }));
}
