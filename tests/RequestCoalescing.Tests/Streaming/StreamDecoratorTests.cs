using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>Callers of a stream behind a decorator that lets them join late or again, or withholds from the engine or from the work what they usually have.</summary>
public sealed class StreamDecoratorTests
{
    private readonly StreamBackend<int> _backend = new();
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task A_caller_that_is_held_up_before_it_joins_reads_nothing_of_the_flight_before()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var early = Read(hooked);
        var first = early.NextAsync();
        var run = await _backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await first);
        hooked.Join = _gate.Task;
        await using var late = Read(hooked);
        var own = late.NextAsync();
        run.End();
        Assert.Empty(await early.RestAsync());

        _gate.SetResult(); // only now it joins, and starts a flight

        (await _backend.NextRunAsync()).Yield(5);
        Assert.Equal(5, await own);
    }

    [Theory]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task A_call_that_a_decorator_repeats_ends_with_the_error_after_the_items(Type error)
    {
        var hooked = new HookedSingleflight(new Singleflight()) { Again = _gate.Task };
        await using var reader = Read(hooked);
        var first = reader.NextAsync();
        var run = await _backend.NextRunAsync();
        run.Yield(1, 2);
        Assert.Equal(1, await first);

        run.Fail((Exception)Activator.CreateInstance(error)!);

        Assert.Equal(2, await reader.NextAsync());
        Assert.IsType(error, await reader.NextAsync().ThrowsAsync<Exception>());
        await (await _backend.NextRunAsync()).DisposedAsync();
    }

    [Fact]
    public async Task A_call_that_a_decorator_repeats_before_the_first_item_reads_the_second_flight()
    {
        var hooked = new HookedSingleflight(new Singleflight()) { Again = _gate.Task };
        await using var reader = Read(hooked);
        var first = reader.NextAsync();
        (await _backend.NextRunAsync()).Fail(new IOException());

        (await _backend.NextRunAsync()).Yield(5);

        Assert.Equal(5, await first);
    }

    [Fact]
    public async Task A_call_that_a_decorator_repeats_amid_a_stream_ends_with_an_error_after_the_items_that_are_there()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var leader = Read(hooked);
        await using var moved = Read(hooked);
        var (led, run, first) = await FollowWithACallThatIsRepeatedAsync(hooked, leader, moved);
        run.Yield(1);
        Assert.Equal((1, 1), (await led, await first));
        hooked.Forget("key");
        var next = moved.NextAsync();

        _gate.SetResult();

        var error = await next.ThrowsAsync<InvalidOperationException>();
        Assert.Contains("decorator", error.Message);
        run.Yield(2);
        Assert.Equal(2, await leader.NextAsync());
        await (await _backend.NextRunAsync()).DisposedAsync();
    }

    [Fact]
    public async Task A_call_that_joins_again_before_its_second_flight_streams_waits_for_that_one()
    {
        var work = new TaskCompletionSource();
        var hooked = new HookedSingleflight(new Singleflight());
        await using var leader = Read(hooked);
        await using var moved = Read(hooked);
        var (led, run, first) = await FollowWithACallThatIsRepeatedAsync(hooked, leader, moved);
        hooked.Forget("key");
        (hooked.Again, hooked.Work) = (null, work.Task);
        await using var other = Read(hooked);
        var second = other.NextAsync();
        await hooked.UntilSubscribersAsync(3);

        _gate.SetResult(); // joins the flight of the other one, whose source has not begun
        await hooked.UntilSubscribersAsync(4);
        run.End(); // wakes the reader, which is no longer in that flight
        await led.ThrowsAsync<InvalidOperationException>();
        work.SetResult();

        (await _backend.NextRunAsync()).Yield(5);
        Assert.Equal((5, 5), (await first, await second));
    }

    [Fact]
    public async Task Callers_behind_a_decorator_that_hides_the_flight_read_as_the_items_come()
    {
        var clock = new FakeTimeProvider();
        var hooked = new HookedSingleflight(new Singleflight(new SingleflightOptions { TimeProvider = clock })) { HidesFlight = true };
        var options = new StreamOptions { MaxIdle = TimeSpan.FromSeconds(5) };
        await using var leader = Read(hooked, options);
        await using var follower = Read(hooked, options);
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await hooked.UntilSubscribersAsync(2);

        (await _backend.NextRunAsync()).Yield(1);

        Assert.Equal((1, 1), (await led, await followed));
        var next = follower.NextAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(options.MaxIdle, (await next.ThrowsAsync<FlightTimeoutException>()).MaxDuration);
    }

    [Fact]
    public async Task Subscribers_behind_a_decorator_that_hides_the_flight_elect_a_leader()
    {
        using var aborted = new CancellationTokenSource();
        var hooked = new HookedSingleflight(new Singleflight()) { HidesFlight = true };
        var leader = new StreamCaller<int>(hooked.ExecuteStreamAsync("key", _ => _backend.Run(aborted.Token), aborted.Token)).NextAsync();
        await _backend.NextRunAsync();
        var followers = Enumerable.Range(0, 3).Select(_ => Read(hooked)).ToArray();
        var items = followers.Select(static follower => follower.NextAsync()).ToArray();
        await hooked.UntilSubscribersAsync(4);

        await aborted.CancelAsync();

        var run = await _backend.NextRunAsync();
        run.Yield(7);
        Assert.All(await Task.WhenAll(items).SoonAsync(), static item => Assert.Equal(7, item));
        await leader.LeavesWithAsync(aborted.Token);
        run.End();
        foreach (var follower in followers) Assert.Empty(await follower.RestAsync());
    }

    [Fact]
    public async Task Callers_behind_a_decorator_share_by_the_comparer_of_the_engine()
    {
        var hooked = new HookedSingleflight(new Singleflight<string>(comparer: StringComparer.OrdinalIgnoreCase));
        await using var leader = Read(hooked);
        await using var follower = new StreamCaller<int>(hooked.ExecuteStreamAsync("KEY", _backend.Run, new StreamOptions()));
        var (led, followed) = (leader.NextAsync(), follower.NextAsync());
        await hooked.UntilSubscribersAsync(2);

        (await _backend.NextRunAsync()).Yield(1);

        Assert.Equal((1, 1), (await led, await followed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Work_that_reads_a_stream_without_the_engine_gets_its_own_run(bool isStream)
    {
        var clock = new FakeTimeProvider();
        var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        var bypassing = new HookedSingleflight(singleflight) { Bypasses = true };
        var endless = new StreamOptions { MaxIdle = Timeout.InfiniteTimeSpan };

        var read = isStream
            ? singleflight.ExecuteStreamAsync("outer", _ => bypassing.ExecuteStreamAsync("key", _backend.Run)).ToListAsync().AsTask()
            : singleflight.ExecuteAsync("outer", async token => await bypassing.ExecuteStreamAsync("key", _backend.Run, endless, token).ToListAsync(token)).AsTask();

        var run = await _backend.NextRunAsync();
        run.Yield(1, 2);
        if (isStream) run.End();
        else
        {
            await Patience.UntilAsync(() => run.Taken == 2, "the work has the items");
            clock.Advance(new SingleflightOptions().MaxDuration); // the work's own flight does not stream
        }

        if (isStream) Assert.Equal([1, 2], await read.SoonAsync());
        else await read.ThrowsAsync<FlightTimeoutException>();
    }

    [Fact]
    public async Task A_source_that_reads_another_stream_of_the_same_items_reads_that_one()
    {
        var singleflight = new Singleflight();
        await using var outer = new StreamCaller<int>(singleflight.ExecuteStreamAsync("outer", token => singleflight.ExecuteStreamAsync("key", _backend.Run, token)));
        await using var inner = Read(singleflight);
        var read = inner.NextAsync();
        var run = await _backend.NextRunAsync();
        var passedOn = outer.NextAsync(); // its source joins the flight of the other one
        await singleflight.UntilSubscribersAsync(3);

        run.Yield(1);

        Assert.Equal((1, 1), (await read, await passedOn));
        run.End();
        Assert.Empty(await outer.RestAsync());
        Assert.Empty(await inner.RestAsync());
    }

    [Fact]
    public async Task A_caller_that_joins_another_flight_than_it_seemed_reads_that_one()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        await using var early = Read(hooked);
        var first = early.NextAsync();
        var run = await _backend.NextRunAsync();
        var join = hooked.Join = _gate.Task;
        await using var late = Read(hooked);
        var own = late.NextAsync();
        hooked.Join = Task.CompletedTask;
        hooked.Forget("key");
        await using var leader = Read(hooked);
        var led = leader.NextAsync();
        var next = await _backend.NextRunAsync();
        _gate.SetResult();
        await hooked.UntilSubscribersAsync(3);
        run.End();
        await first.ThrowsAsync<InvalidOperationException>();

        next.Yield(5);
        next.End();

        Assert.Equal((5, 5), (await led, await own));
        Assert.Empty(await late.RestAsync());
    }

    [Fact]
    public async Task A_caller_starts_a_new_flight_if_a_decorator_hides_the_one_whose_beginning_is_gone()
    {
        var hooked = new HookedSingleflight(new Singleflight()) { HidesFlight = true };
        await using var early = Read(hooked, new StreamOptions { MaxBufferedItems = 8 });
        var item = early.NextAsync();
        var run = await _backend.NextRunAsync();
        for (var next = 0; next < 20; next++)
        {
            run.Yield(next);
            Assert.Equal(next, await item);
            item = early.NextAsync();
        }

        await using var late = Read(hooked);
        var anew = late.NextAsync();
        (await _backend.NextRunAsync()).Yield(100);

        Assert.Equal(100, await anew);
    }

    [Fact]
    public async Task A_flight_whose_beginning_is_gone_is_closed_without_a_forget()
    {
        var hooked = new HookedSingleflight(new Singleflight());
        var options = new StreamOptions { MaxBufferedItems = 8, Backpressure = StreamBackpressure.SlowestReader };
        await using var fast = new StreamCaller<int>(hooked.ExecuteStreamAsync("key", _ => Enumerable.Range(0, 100).ToAsyncEnumerable(), options));
        await using var slow = Read(hooked, options);
        Assert.Equal((0, 0), (await fast.NextAsync(), await slow.NextAsync()));
        Assert.Equal(1, await fast.NextAsync()); // the source waits for the slow reader, and for no third one

        await using var late = Read(hooked);
        var anew = late.NextAsync();
        (await _backend.NextRunAsync()).Yield(100);

        Assert.Equal(100, await anew);
        Assert.Equal(0, hooked.Forgets);
    }

    // The decorator repeats the follower's call when the gate opens.
    private async Task<(Task<int> Led, StreamRun<int> Run, Task<int> Followed)> FollowWithACallThatIsRepeatedAsync(HookedSingleflight hooked, StreamCaller<int> leader, StreamCaller<int> follower)
    {
        var led = leader.NextAsync();
        var run = await _backend.NextRunAsync();
        hooked.Again = _gate.Task;
        var followed = follower.NextAsync();
        await hooked.UntilSubscribersAsync(2);
        return (led, run, followed);
    }

    private StreamCaller<int> Read(ISingleflight<string> singleflight, StreamOptions? options = null) =>
        new(singleflight.ExecuteStreamAsync("key", _backend.Run, options ?? new StreamOptions()));
}
