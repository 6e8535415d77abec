namespace RequestCoalescing.Tests.Streaming;

/// <summary>How callers leave a stream.</summary>
public sealed class StreamLeaveTests : StreamFixture
{
    [Fact]
    public async Task A_slow_reader_whose_token_fires_between_two_reads_lets_the_source_go_on()
    {
        using var leaving = new CancellationTokenSource();
        var (slow, rest, _) = await FillAsync(leaving.Token);

        await leaving.CancelAsync();

        Assert.Equal(Enumerable.Range(1, 99), await rest);
        await slow.NextAsync().LeavesWithAsync(leaving.Token);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_with_two_tokens_leaves_with_the_one_that_has_fired(bool isOfCall)
    {
        using var call = new CancellationTokenSource();
        using var enumeration = new CancellationTokenSource();
        await using var items = Flights.ExecuteStreamAsync("key", Backend.Run, call.Token).GetAsyncEnumerator(enumeration.Token);
        var next = items.MoveNextAsync().AsTask();
        await Backend.NextRunAsync();
        var fired = isOfCall ? call : enumeration;

        await fired.CancelAsync();

        await next.LeavesWithAsync(fired.Token);
        Assert.False(await items.MoveNextAsync());
    }

    [Fact]
    public async Task A_caller_whose_token_has_fired_gets_no_item_that_is_there()
    {
        using var leaving = new CancellationTokenSource();
        await using var reader = Read(token: leaving.Token);
        var first = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1, 2);
        Assert.Equal(1, await first);
        await Patience.UntilAsync(() => run.Taken == 2, "the second item is there");

        await leaving.CancelAsync();

        await reader.NextAsync().LeavesWithAsync(leaving.Token);
    }

    [Fact]
    public async Task A_caller_whose_token_has_fired_before_it_begins_asks_no_source()
    {
        await Read(token: new CancellationToken(true)).NextAsync().ThrowsAsync<OperationCanceledException>();

        Assert.Equal((0, 0), (Backend.Runs, Flights.GetStats().Flights));
    }

    [Fact]
    public async Task A_caller_that_has_failed_leaves_without_being_disposed_of()
    {
        await using var fast = Read(new StreamOptions { MaxBufferedItems = 8 });
        await using var slow = new Enumeration(Flights.ExecuteStreamAsync("key", Backend.Run));
        var (item, first) = (fast.NextAsync(), slow.MoveAsync());
        await Flights.UntilSubscribersAsync(2);
        var run = await Backend.NextRunAsync();
        for (var next = 0; next < 20; next++)
        {
            run.Yield(next);
            Assert.Equal(next, await item);
            item = fast.NextAsync();
            if (next == 0) Assert.True(await first); // the other one has its place, and stops there
        }

        await Assert.ThrowsAsync<StreamLagException>(async () =>
        {
            while (await slow.MoveAsync())
            {
            }
        });

        await Flights.UntilSubscribersAsync(1);
        Assert.False(await slow.MoveAsync());
        run.End();
        await item.ThrowsAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task A_caller_that_asks_again_after_the_end_gets_the_end_again()
    {
        await using var items = new Enumeration(Flights.ExecuteStreamAsync("key", Backend.Run));
        var first = items.MoveAsync();
        (await Backend.NextRunAsync()).End();

        Assert.False(await first);
        Assert.False(await items.MoveAsync());
        Assert.Equal(1, Backend.Runs);
    }

    [Fact]
    public async Task An_enumeration_that_is_disposed_of_before_its_first_item_asks_no_source()
    {
        var items = new Enumeration(Flights.ExecuteStreamAsync("key", Backend.Run));

        await items.DisposeAsync();
        await items.DisposeAsync();

        await items.MoveAsync().ThrowsAsync<ObjectDisposedException>();
        Assert.Equal((0, 0), (Backend.Runs, Flights.GetStats().Calls));
    }

    [Fact]
    public async Task A_loop_that_breaks_off_leaves()
    {
        var loop = BreakOffAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1, 2, 3);

        Assert.Equal(1, await loop.SoonAsync());
        await run.DisposedAsync();
        await Patience.UntilAsync(() => Flights.GetStats().InFlightCount == 0, "the flight is over");

        async Task<int> BreakOffAsync()
        {
            await foreach (var item in Flights.ExecuteStreamAsync("key", Backend.Run)) return item;
            return 0;
        }
    }

    [Fact]
    public async Task A_disposal_of_the_engine_ends_a_source_that_waits_for_its_readers()
    {
        await using var reader = Read(new StreamOptions { MaxBufferedItems = 8 });
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(Enumerable.Range(0, 100));
        Assert.Equal(0, await item);

        await Flights.DisposeAsync().AsTask().SoonAsync();

        await run.DisposedAsync();
    }


    /// <summary>An enumeration, step by step.</summary>
    private sealed class Enumeration(IAsyncEnumerable<int> stream) : IAsyncDisposable
    {
        private readonly IAsyncEnumerator<int> _items = stream.GetAsyncEnumerator();

        public Task<bool> MoveAsync() => _items.MoveNextAsync().AsTask().SoonAsync();

        public ValueTask DisposeAsync() => _items.DisposeAsync();
    }
}
