namespace RequestCoalescing.Tests.Streaming;

/// <summary>The buffer of a stream, and its slow readers.</summary>
public sealed class StreamingTests : StreamFixture
{
    private static readonly StreamOptions s_short = new() { MaxBufferedItems = 8 };

    [Fact]
    public async Task A_caller_that_comes_when_the_first_item_is_gone_starts_a_new_flight()
    {
        await using var early = Read(s_short);
        var item = early.NextAsync();
        var run = await Backend.NextRunAsync();
        item = await PassAsync(run, early, item, 20);

        await using var late = Read(s_short);
        var anew = late.NextAsync();
        (await Backend.NextRunAsync()).Yield(100);

        Assert.Equal(100, await anew);
        run.Yield(20);
        Assert.Equal(20, await item);
        Assert.Equal((2, 2, 0), (Backend.Runs, Flights.GetStats().Calls, Flights.GetStats().Coalesced));
    }

    [Fact]
    public async Task A_reader_that_lags_fails_alone()
    {
        await using var fast = Read(s_short);
        await using var slow = Read(s_short);
        var (item, first) = (fast.NextAsync(), slow.NextAsync());
        await Flights.UntilSubscribersAsync(2);
        var run = await Backend.NextRunAsync();
        item = await PassAsync(run, fast, item, 50, first);

        Assert.Equal(0, await first);
        var lag = await slow.RestAsync().ThrowsAsync<StreamLagException>();
        Assert.Equal(8, lag.MaxBuffered);
        await slow.DisposeAsync();
        run.Yield(50);
        run.End();
        Assert.Equal(50, await item);
        Assert.Empty(await fast.RestAsync());
        Assert.Equal(1, Backend.Runs);
    }

    [Fact]
    public async Task A_reader_that_lags_can_go_on_in_a_new_flight_without_an_item_twice()
    {
        var options = new StreamOptions { MaxBufferedItems = 8, OnLag = StreamLagBehavior.NewFlight };
        await using var fast = Read(options);
        await using var slow = Read(options);
        var (item, first) = (fast.NextAsync(), slow.NextAsync());
        await Flights.UntilSubscribersAsync(2);
        var run = await Backend.NextRunAsync();
        item = await PassAsync(run, fast, item, 50, first);

        Assert.Equal(0, await first);
        var rest = slow.RestAsync();
        var second = await Backend.NextRunAsync();
        await Flights.UntilSubscribersAsync(2); // it has left the old flight
        second.Yield(Enumerable.Range(0, 60));
        second.End();

        Assert.Equal(Enumerable.Range(1, 59), await rest);
        run.End();
        await item.ThrowsAsync<InvalidOperationException>();
        Assert.Equal(2, Backend.Runs);
    }

    [Fact]
    public async Task The_source_runs_ahead_of_its_fastest_reader_by_a_bounded_number_of_items()
    {
        await using var reader = Read(new StreamOptions { MaxBufferedItems = 400 });
        var first = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(Enumerable.Range(0, 10_000));
        run.End();
        Assert.Equal(0, await first);

        Assert.Equal(Enumerable.Range(1, 5000), await TakeAsync(reader, 5000));
        Assert.InRange(run.Taken, 5000, 5200);
        Assert.Equal(Enumerable.Range(5001, 4999), await reader.RestAsync());
    }

    [Fact]
    public async Task The_source_waits_for_the_slowest_reader_if_that_is_asked_for()
    {
        var (slow, rest, run) = await FillAsync();
        Assert.InRange(run.Taken, 8, 9);
        Assert.Equal(Enumerable.Range(1, 99), await slow.RestAsync());
        Assert.Equal(Enumerable.Range(1, 99), await rest);
        Assert.Equal(1, Backend.Runs);
    }

    [Fact]
    public async Task A_slow_reader_that_leaves_lets_the_source_go_on()
    {
        var (slow, rest, _) = await FillAsync();

        await slow.DisposeAsync();

        Assert.Equal(Enumerable.Range(1, 99), await rest);
    }

    [Fact]
    public async Task A_stream_that_flows_is_in_the_counts_and_is_not_stuck()
    {
        await using var reader = Read(s_short);
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);
        Clock.Advance(TimeSpan.FromSeconds(20));

        var stats = Flights.GetStats();

        Assert.Equal((1, 1, TimeSpan.Zero), (stats.InFlightCount, stats.TotalSubscribers, stats.OldestCallAge));
        run.End();
        Assert.Empty(await reader.RestAsync());
        Assert.Null(Flights.GetStats().OldestCallAge);
    }

    [Fact]
    public async Task A_drain_waits_for_a_stream()
    {
        await using var reader = Read(s_short);
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);

        var drain = Flights.DrainAsync();

        Assert.False(drain.IsCompleted);
        run.End();
        Assert.Empty(await reader.RestAsync());
        await drain.SoonAsync();
    }

    [Fact]
    public async Task Two_enumerations_of_one_call_are_two_callers()
    {
        var stream = Flights.ExecuteStreamAsync("key", Backend.Run);
        Assert.Equal(0, Backend.Runs);
        await using var one = new StreamCaller<int>(stream);
        await using var two = new StreamCaller<int>(stream);
        var (first, second) = (one.NextAsync(), two.NextAsync());
        await Flights.UntilSubscribersAsync(2);
        (await Backend.NextRunAsync()).Yield(5);

        Assert.Equal((5, 5), (await first, await second));
    }

    [Fact]
    public async Task The_token_of_an_enumeration_lets_it_leave_too()
    {
        using var call = new CancellationTokenSource();
        using var enumeration = new CancellationTokenSource();
        await using var items = Flights.ExecuteStreamAsync("key", Backend.Run, call.Token).GetAsyncEnumerator(enumeration.Token);
        var next = items.MoveNextAsync().AsTask();
        await Backend.NextRunAsync();

        await enumeration.CancelAsync();

        await next.ThrowsAsync<OperationCanceledException>();
        await Flights.UntilSubscribersAsync(0);
    }

    [Fact]
    public async Task A_custom_equality_of_keys_holds_for_streams()
    {
        var singleflight = new Singleflight<string>(null, StringComparer.OrdinalIgnoreCase);
        await using var one = new StreamCaller<int>(singleflight.ExecuteStreamAsync("KEY", Backend.Run));
        await using var two = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", Backend.Run));
        var (first, second) = (one.NextAsync(), two.NextAsync());
        await singleflight.UntilSubscribersAsync(2);
        (await Backend.NextRunAsync()).Yield(5);

        Assert.Equal((5, 5), (await first, await second));
        Assert.Equal(1, Backend.Runs);
    }

    [Fact]
    public async Task A_source_that_blocks_can_start_on_the_thread_pool()
    {
        var singleflight = new Singleflight(new SingleflightOptions { StartOnThreadPool = true });
        var readers = Enumerable.Range(0, 20).Select(_ => new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", Backend.Run)).RestAsync()).ToList();
        await singleflight.UntilSubscribersAsync(20);
        var run = await Backend.NextRunAsync();
        run.Yield(1, 2, 3);
        run.End();

        Assert.All(await Task.WhenAll(readers).SoonAsync(), items => Assert.Equal([1, 2, 3], items));
    }

    [Theory]
    [InlineData(nameof(StreamOptions.MaxBufferedItems), 1)]
    [InlineData(nameof(StreamOptions.MaxBufferedBytes), 65535)]
    [InlineData(nameof(StreamOptions.MaxIdle), 0)]
    [InlineData(nameof(StreamOptions.Backpressure), 2)]
    [InlineData(nameof(StreamOptions.OnLag), -1)]
    public void An_option_out_of_its_range_is_refused_at_the_call(string name, int value)
    {
        var options = new StreamOptions();
        switch (name)
        {
            case nameof(StreamOptions.MaxBufferedItems): options.MaxBufferedItems = value; break;
            case nameof(StreamOptions.MaxBufferedBytes): options.MaxBufferedBytes = value; break;
            case nameof(StreamOptions.MaxIdle): options.MaxIdle = TimeSpan.FromSeconds(value); break;
            case nameof(StreamOptions.Backpressure): options.Backpressure = (StreamBackpressure)value; break;
            default: options.OnLag = (StreamLagBehavior)value; break;
        }

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Flights.ExecuteStreamAsync("key", Backend.Run, options));
        Assert.Equal(name, error.ParamName);
    }

    [Fact]
    public void Null_arguments_are_refused_at_the_call()
    {
        Assert.Throws<ArgumentNullException>(() => Flights.ExecuteStreamAsync(null!, Backend.Run));
        Assert.Throws<ArgumentNullException>(() => Flights.ExecuteStreamAsync("key", (Func<CancellationToken, IAsyncEnumerable<int>>)null!));
        Assert.Throws<ArgumentNullException>(() => ((ISingleflight<string>)null!).ExecuteStreamAsync("key", Backend.Run));
    }

    /// <summary>Yields items one after the other, each when the reader has got the one before, and the second when the other reader has got the first.</summary>
    private static async Task<Task<int>> PassAsync(StreamRun<int> run, StreamCaller<int> reader, Task<int> item, int count, Task<int>? other = null)
    {
        for (var next = 0; next < count; next++)
        {
            run.Yield(next);
            Assert.Equal(next, await item);
            if (next == 0 && other is not null) await other;
            item = reader.NextAsync();
        }

        return item;
    }

    private static async Task<List<int>> TakeAsync(StreamCaller<int> reader, int count)
    {
        var items = new List<int>();
        while (items.Count < count) items.Add(await reader.NextAsync());
        return items;
    }
}
