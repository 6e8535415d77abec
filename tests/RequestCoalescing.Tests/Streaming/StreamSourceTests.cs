namespace RequestCoalescing.Tests.Streaming;

/// <summary>Sources of streams: what they yield, how they are disposed of, and what they leave behind.</summary>
public sealed class StreamSourceTests : StreamFixture
{
    [Fact]
    public async Task A_source_whose_disposal_hangs_counts_as_abandoned_also_if_it_was_waiting_for_its_readers()
    {
        var disposal = new TaskCompletionSource();
        var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", _ => Source(), new StreamOptions { MaxBufferedItems = 8 }));
        Assert.Equal(0, await reader.NextAsync());
        await reader.DisposeAsync();
        await Patience.UntilAsync(() => Flights.GetStats().TotalSubscribers == 0, "the caller has left");

        await Patience.UntilAsync(
            () =>
            {
                Clock.Advance(TimeSpan.FromSeconds(31));
                return Flights.GetStats().AbandonedCount == 1;
            },
            "the run counts as abandoned");

        disposal.SetResult();
        await Patience.UntilAsync(() => Flights.GetStats().AbandonedCount == 0, "the source has ended");

        async IAsyncEnumerable<int> Source()
        {
            try
            {
                for (var item = 0; ; item++) yield return item;
            }
            finally
            {
                await disposal.Task;
            }
        }
    }

    [Fact]
    public async Task The_items_of_a_stream_that_has_ended_are_collected()
    {
        var item = await ReadAsync();

        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !item.IsAlive;
            },
            "nothing holds the item");
        Assert.Equal(0, Flights.GetStats().InFlightCount);

        async Task<WeakReference> ReadAsync()
        {
            var items = await Flights.ExecuteStreamAsync("key", static _ => new[] { new object() }.ToAsyncEnumerable()).ToListAsync();
            return new WeakReference(items[0]);
        }
    }

    [Fact]
    public async Task A_loop_that_the_source_has_started_keeps_no_item_alive()
    {
        var stop = new TaskCompletionSource();
        var item = await ReadAsync();

        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !item.IsAlive;
            },
            "nothing holds the item");
        stop.SetResult();

        async Task<WeakReference> ReadAsync()
        {
            var items = await Flights.ExecuteStreamAsync("key", _ => Source()).ToListAsync();
            return new WeakReference(items[0]);
        }

        async IAsyncEnumerable<object> Source()
        {
            _ = LoopAsync(); // in the context of the flight
            await Task.CompletedTask;
            yield return new object();
        }

        async Task LoopAsync() => await stop.Task;
    }

    [Fact]
    public async Task An_error_of_the_disposal_comes_after_the_items()
    {
        await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", _ => Source()));

        Assert.Equal(1, await reader.NextAsync());
        await reader.NextAsync().ThrowsAsync<InvalidTimeZoneException>();

        static async IAsyncEnumerable<int> Source()
        {
            try
            {
                await Task.CompletedTask;
                yield return 1;
            }
            finally
            {
                Fail();
            }
        }

        static void Fail() => throw new InvalidTimeZoneException();
    }

    [Fact]
    public async Task A_source_that_is_null_is_refused()
    {
        var error = await new StreamCaller<int>(Flights.ExecuteStreamAsync("key", IAsyncEnumerable<int> (CancellationToken _) => null!)).NextAsync().ThrowsAsync<InvalidOperationException>();

        Assert.Contains("returned null", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Items_may_be_null_or_large()
    {
        Assert.Equal([null, "a", null], await Flights.ExecuteStreamAsync("texts", static _ => new[] { null, "a", null }.ToAsyncEnumerable()).ToListAsync());

        var large = Enumerable.Range(0, 1000).Select(static number => (decimal)number).Select(static number => (number, number, number, number, number, number, number)).ToList();
        Assert.Equal(large, await Flights.ExecuteStreamAsync("structs", _ => large.ToAsyncEnumerable()).ToListAsync());
    }

    [Fact]
    public async Task The_context_of_the_leader_stays_with_the_source()
    {
        var local = new AsyncLocal<string> { Value = "test" };
        var leader = Task.Run(() => ReadAsync("leader"));
        var run = await Backend.NextRunAsync();
        var follower = Task.Run(() => ReadAsync("follower"));
        await Flights.UntilSubscribersAsync(2);
        run.Yield(1, 2, 3);
        run.End();

        Assert.Equal("leader leader leader leader", await leader.SoonAsync());
        Assert.Equal("follower follower follower follower", await follower.SoonAsync());

        async Task<string> ReadAsync(string name)
        {
            local.Value = name;
            var seen = new List<string>();
            await foreach (var item in Flights.ExecuteStreamAsync("key", Source)) seen.Add(local.Value);
            return string.Join(' ', [.. seen, local.Value]);
        }

        async IAsyncEnumerable<int> Source([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Assert.Equal("leader", local.Value);
            local.Value = "source";
            await foreach (var item in Backend.Run(cancellationToken)) yield return item;
        }
    }

    [Fact]
    public async Task A_stream_that_has_ended_leaves_no_timer()
    {
        var clock = new TimerCountingTimeProvider();
        var singleflight = new Singleflight(new SingleflightOptions { TimeProvider = clock });
        await using var reader = new StreamCaller<int>(singleflight.ExecuteStreamAsync("key", Backend.Run));
        var first = reader.NextAsync();
        var run = await Backend.NextRunAsync();
        Assert.Equal(1, clock.SetTimers); // for MaxDuration
        run.Yield(1);
        Assert.Equal(1, await first);
        Assert.Equal(1, clock.SetTimers); // for MaxIdle
        run.Yield(2);
        run.End();

        Assert.Equal([2], await reader.RestAsync());

        Assert.Equal(0, clock.SetTimers);
    }

    [Fact]
    public async Task A_failure_that_no_reader_has_come_to_is_not_left_unobserved()
    {
        var error = new IOException("The line is dead.");
        await Unobserved.AssertNoneAsync(
            async () =>
            {
                await using var reader = new StreamCaller<int>(Flights.ExecuteStreamAsync("key", Backend.Run));
                var first = reader.NextAsync();
                var run = await Backend.NextRunAsync();
                run.Yield(1, 2);
                run.Fail(error);
                Assert.Equal(1, await first);
                await Patience.UntilAsync(() => Flights.GetStats().InFlightCount == 0, "the flight is over");
            },
            thrown => thrown == error);
    }
}
