namespace RequestCoalescing.Tests.Streaming;

/// <summary>Sources that are silent for too long, or only seem to be.</summary>
public sealed class StreamSilenceTests : StreamFixture
{
    [Fact]
    public async Task A_source_that_is_silent_for_too_long_fails_after_its_items_and_frees_its_key()
    {
        await using var reader = Read(new StreamOptions { MaxIdle = TimeSpan.FromSeconds(5) });
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);
        var next = reader.NextAsync();
        Clock.Advance(TimeSpan.FromSeconds(4));
        run.Yield(2);
        Assert.Equal(2, await next);
        next = reader.NextAsync();
        Clock.Advance(TimeSpan.FromSeconds(4));
        run.Yield(3);
        Assert.Equal(3, await next);
        next = reader.NextAsync();

        Clock.Advance(TimeSpan.FromSeconds(5));

        var timeout = await next.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal(TimeSpan.FromSeconds(5), timeout.MaxDuration);
        Assert.Contains(nameof(StreamOptions.MaxIdle), timeout.Message, StringComparison.Ordinal);
        await run.DisposedAsync();
        Assert.Equal((1, 0), (Flights.GetStats().TimedOut, Flights.GetStats().AbandonedCount));
    }

    [Fact]
    public async Task A_source_may_be_silent_for_ever_if_that_is_asked_for()
    {
        await using var reader = Read(new StreamOptions { MaxIdle = Timeout.InfiniteTimeSpan });
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);
        item = reader.NextAsync();

        Clock.Advance(TimeSpan.FromDays(100));

        run.Yield(2);
        Assert.Equal(2, await item);
    }

    [Fact]
    public async Task A_silent_source_that_ignores_its_token_counts_as_abandoned_until_it_ends()
    {
        await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", Backend.RunStubborn));
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);
        var next = reader.NextAsync();

        Clock.Advance(TimeSpan.FromSeconds(30));

        await next.ThrowsAsync<FlightTimeoutException>();
        Assert.Equal((0, 1), (Flights.GetStats().InFlightCount, Flights.GetStats().AbandonedCount));
        run.End();
        await Patience.UntilAsync(() => Flights.GetStats().AbandonedCount == 0, "the source has ended");
    }

    [Fact]
    public async Task Time_in_which_the_source_waits_for_its_readers_is_not_silence()
    {
        var options = new StreamOptions { MaxBufferedItems = 8 };
        await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", static _ => Enumerable.Range(0, 100).ToAsyncEnumerable(), options));
        Assert.Equal(0, await reader.NextAsync()); // the source is ahead, and waits

        Clock.Advance(TimeSpan.FromHours(1));

        Assert.Equal(Enumerable.Range(1, 99), await reader.RestAsync());
    }

    [Fact]
    public async Task The_silence_of_a_source_begins_when_its_readers_ask_for_more()
    {
        var asked = new TaskCompletionSource();
        var last = new TaskCompletionSource();
        await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", _ => Source(), new StreamOptions { MaxBufferedItems = 8 }));
        Assert.Equal(0, await reader.NextAsync()); // the source is ahead, and waits
        Clock.Advance(TimeSpan.FromHours(1) + TimeSpan.FromSeconds(10)); // the next look is in 20 seconds
        Assert.Equal(1, await reader.NextAsync());
        await asked.Task.SoonAsync();

        Clock.Advance(TimeSpan.FromSeconds(29));

        last.SetResult();
        Assert.Equal(2, await reader.NextAsync());

        async IAsyncEnumerable<int> Source()
        {
            yield return 0;
            yield return 1;
            asked.SetResult();
            await last.Task;
            yield return 2;
        }
    }

    [Fact]
    public async Task A_source_that_ignores_its_token_is_disposed_of_with_its_next_item()
    {
        await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", Backend.RunStubborn));
        var item = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        run.Yield(1);
        Assert.Equal(1, await item);
        await reader.DisposeAsync();

        run.Yield(2);

        await run.DisposedAsync();
    }
}
