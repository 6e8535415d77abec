namespace RequestCoalescing.Redis.Tests;

/// <content>Flights with tags.</content>
public abstract partial class ClusterTests
{
    [Fact]
    public async Task A_forgotten_tag_reaches_the_flights_of_all_nodes_that_have_it_and_no_others()
    {
        var nodes = await NodesAsync(3);
        var own = await TakeOffAsync(nodes[0], "a", "x");
        var elsewhere = await TakeOffAsync(nodes[1], "b", "x", "y");
        var untouched = await TakeOffAsync(nodes[1], "c", "y");
        await nodes[0].ForgetTagAsync("x");

        var again = await TakeOffAsync(nodes[0], "a");
        var onThird = await TakeOffAsync(nodes[2], "b");
        var joins = nodes[2].ExecuteAsync("c", _backend.RunAsync).AsTask();
        await nodes[2].UntilSubscribersAsync(2);
        await UntilAllWaitAsync(others: 3);
        own.Run.Succeed(1);
        elsewhere.Run.Succeed(2);
        untouched.Run.Succeed(3);
        again.Run.Succeed(4);
        onThird.Run.Succeed(5);
        Assert.Equal((IEnumerable<int>)[1, 2, 3, 4, 5, 3], await Task.WhenAll(own.Call, elsewhere.Call, untouched.Call, again.Call, onThird.Call, joins).SoonAsync());
        Assert.Equal(5, _backend.Runs);
    }

    [Theory]
    [InlineData("post:1", "posts")]
    [InlineData("a}b{c|d", "a}b{c|d")]
    [InlineData("", "")]
    [InlineData("\ud800", "\udc00")]
    [InlineData("\u0001a", "\u0001a")]
    public async Task Keys_and_tags_may_be_any_text(string key, string tag)
    {
        var nodes = await NodesAsync(2);
        var first = await TakeOffAsync(nodes[0], key, tag);
        await nodes[1].ForgetTagAsync(tag + "a"); // another one
        var joins = nodes[1].ExecuteAsync(key, _backend.RunAsync).AsTask();
        await nodes[1].UntilSubscribersAsync(1);
        await UntilAllWaitAsync(others: 1);
        await nodes[1].ForgetTagAsync(tag);
        (await _backend.NextRunAsync()).Succeed(2); // of the caller that had joined
        first.Run.Succeed(1);
        Assert.Equal((IEnumerable<int>)[1, 2], await Task.WhenAll(first.Call, joins).SoonAsync());
    }

    [Fact]
    public async Task A_tag_is_noted_until_the_end_of_the_work_and_for_an_hour_if_the_node_is_lost()
    {
        var node = (await NodesAsync(1))[0];
        await using var connection = await _server!.ConnectAsync();
        var database = connection.GetDatabase();
        var lost = await node.TagAsync(Key, ["x"]);
        var ended = await node.TagAsync(Key, ["x", "y"]);
        Assert.Equal(2, await database.SortedSetLengthAsync($"{_prefix}:{{x}}:x:tag"));
        Assert.InRange((await database.KeyTimeToLiveAsync($"{_prefix}:{{x}}:x:tag"))!.Value, TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(60));
        await ended.DisposeAsync();
        await ended.DisposeAsync();
        await Patience.UntilAsync(() => !database.KeyExists($"{_prefix}:{{y}}:y:tag"), "the note is gone");
        Assert.Equal(1, await database.SortedSetLengthAsync($"{_prefix}:{{x}}:x:tag"));
        await database.SortedSetAddAsync($"{_prefix}:{{x}}:x:tag", "old", 1);
        await using var next = await node.TagAsync(Key, ["x"]);
        Assert.DoesNotContain("old", (await database.SortedSetRangeByRankAsync($"{_prefix}:{{x}}:x:tag")).Select(static note => note.ToString()));
        await lost.DisposeAsync();
    }

    [Fact]
    public async Task A_tag_that_is_null_is_refused_at_once()
    {
        var node = (await NodesAsync(1))[0];
        Assert.Throws<ArgumentNullException>("tags", () => { _ = node.TagAsync(Key, ["x", null!]); });
        Assert.Throws<ArgumentNullException>("tags", () => { _ = node.TagAsync(Key, null!); });
        Assert.Throws<ArgumentNullException>("tag", () => { _ = node.ForgetTagAsync(null!); });
    }

    private async Task<(Task<int> Call, BackendRun<int> Run)> TakeOffAsync(RedisSingleflight node, string key, params string[] tags)
    {
        var call = node.ExecuteAsync(
            key,
            async (FlightContext flight) =>
            {
                await using var tagged = await node.TagAsync(key, tags);
                return await _backend.RunAsync(flight.CancellationToken);
            }).AsTask();
        return (call, await _backend.NextRunAsync());
    }
}
