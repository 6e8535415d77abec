using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>The lessons of Envoy's tests of its cache filter and its thundering herd handler, about several requests in the air.</summary>
public sealed class EnvoyTests() : HandlerFixture(HttpProtocols.Http2)
{
    // RequestsForSeparateKeysIssueSeparateLookupRequests, MultipleRequestsForSameKeyIssuesOnlyOneLookupRequest
    [Fact]
    public async Task Each_target_has_one_request_and_none_waits_for_another_target()
    {
        var calls = new[] { "/a", "/b", "/c", "/a", "/b", "/c" }.Select(path => GetAsync(path)).ToArray();
        var exchanges = new[] { await Origin.NextAsync(), await Origin.NextAsync(), await Origin.NextAsync() };
        await Flights.UntilSubscribersAsync(6);
        foreach (var exchange in exchanges) await exchange.RespondAsync(exchange.Target);
        Assert.Equal(["/a", "/b", "/c", "/a", "/b", "/c"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        Assert.Equal(3, Origin.Requests);
    }

    // CacheDeletionDuringLookupStillCompletesLookup
    [Fact]
    public async Task A_request_that_is_forgotten_ends_for_those_that_wait_and_the_next_one_starts_anew()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        Flights.Clear();
        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("new");
        Assert.Equal("new", await TextOf(next));
        await first.RespondAsync("old");
        Assert.Equal(["old", "old"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
    }

    // CacheMissWithUncacheableResponseProvokesPassThrough, PassthroughWithUpstreamResetCallsGetHeadersCallbackWithNullPointer
    [Fact]
    public async Task After_a_response_that_cannot_be_shared_each_request_has_its_own_response_and_its_own_failure()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await first.RespondAsync("one", 200, ("Cache-Control", "no-store"));
        await (await Origin.NextAsync()).RespondAsync("other", 200, ("Cache-Control", "no-store"));
        Assert.Equal(["one", "other"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));

        var failing = GetAsync();
        var broken = await Origin.NextAsync();
        var succeeding = GetAsync();
        var whole = await Origin.NextAsync();
        broken.Abort();
        await failing.ThrowsAsync<HttpRequestException>();
        await whole.RespondAsync("own");
        Assert.Equal("own", await TextOf(succeeding));
    }

    // CacheMissWithCacheableResponseProvokesSharedInsertStreamWithBodyAndTrailers
    [Fact]
    public async Task One_that_comes_within_the_body_has_the_headers_at_once_and_each_reads_in_parts_of_its_own_size()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        exchange.Context.Response.DeclareTrailer("x-test");
        await exchange.BeginAsync();
        var responses = new List<HttpResponseMessage>(await Task.WhenAll(calls).SoonAsync()) { await GetAsync().SoonAsync() };
        await exchange.WriteAsync("abc");
        var streams = await Task.WhenAll(responses.Select(static response => response.Content.ReadAsStreamAsync())).SoonAsync();
        await ReadAsync(streams[0], "abc");
        await ReadAsync(streams[1], "ab");
        var waiting = ReadAsync(streams[0], "de"); // holds up nobody that has bytes to read
        await ReadAsync(streams[2], "abc");
        await ReadAsync(streams[1], "c");
        await exchange.WriteAsync("de");
        await waiting;
        exchange.Context.Response.AppendTrailer("x-test", "yes");
        exchange.End();
        await ReadAsync(streams[1], "de");
        await ReadAsync(streams[2], "de");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(0, await streams[i].ReadAsync(new byte[1]).AsTask().SoonAsync());
            Assert.Equal("yes", responses[i].TrailingHeaders.GetValues("x-test").Single());
        }

        Assert.Equal(1, Origin.Requests);

        static async Task ReadAsync(Stream stream, string expected)
        {
            var bytes = new byte[expected.Length];
            await stream.ReadExactlyAsync(bytes).AsTask().SoonAsync();
            Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(bytes));
        }
    }

    // MismatchedSizeAndContentLengthFromUpstreamLogsAnError, CacheInsertFailureResetsStreamingContexts
    [Fact]
    public async Task A_body_that_is_shorter_than_its_length_is_an_error_for_each_reader()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.BeginAsync(200, ("Content-Length", "5"));
        await exchange.WriteAsync("abc");
        exchange.End();
        foreach (var response in await Task.WhenAll(calls).SoonAsync())
        {
            var error = await response.Content.ReadAsByteArrayAsync().ThrowsAsync<HttpRequestException>();
            Assert.IsType<HttpIOException>(error.InnerException);
        }

        await AllIsFreeAsync();
    }

    // ParallelRangeRequestsShareInsertAndGetDistinctResponses. Envoy fetches the whole once, and cuts the ranges out of it. Here each range goes alone.
    [Fact]
    public async Task Parallel_ranges_go_alone_and_have_distinct_responses()
    {
        var ranges = new[] { "bytes=0-4", "bytes=5-9", "bytes=5-9" };
        var calls = ranges.Select(range => GetAsync("/", ("Range", range))).ToArray();
        foreach (var _ in ranges)
        {
            var exchange = await Origin.NextAsync();
            var isFirst = exchange.Headers["Range"] == ranges[0];
            await exchange.RespondAsync(isFirst ? "hello" : "world", 206, ("Content-Range", isFirst ? "bytes 0-4/10" : "bytes 5-9/10"));
        }

        Assert.Equal(["hello", "world", "world"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
    }

    // RequestNoCacheProvokesValidationAndOnFailureInsert. Envoy lets two such requests share. Here each has asked for its own answer of the origin.
    [Fact]
    public async Task Parallel_requests_with_no_cache_go_alone()
    {
        var calls = new[] { GetAsync("/", ("Cache-Control", "no-cache")), GetAsync("/", ("Cache-Control", "no-cache")) };
        foreach (var exchange in new[] { await Origin.NextAsync(), await Origin.NextAsync() })
        {
            Assert.Equal("no-cache", exchange.Headers["Cache-Control"]);
            await exchange.RespondAsync("helloworld");
        }

        await Task.WhenAll(calls.Select(TextOf)).SoonAsync();
    }

    // VaryHeaderInUpstreamResponseTreatedAsUncacheable. Envoy shares no response that varies. Here those share it that are alike.
    [Fact]
    public async Task A_response_that_varies_is_shared_by_those_that_are_alike()
    {
        var calls = new[] { "a/b", "a/b", "c/d" }.Select(accept => GetAsync("/", ("Accept", accept))).ToArray();
        var exchanges = new[] { await Origin.NextAsync(), await Origin.NextAsync() };
        await Flights.UntilSubscribersAsync(3);
        foreach (var exchange in exchanges) await exchange.RespondAsync(exchange.Headers["Accept"], 200, ("Vary", "accept"));
        Assert.Equal(["a/b", "a/b", "c/d"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        Assert.Equal(2, Origin.Requests);
    }

    // DefaultBlockUntilCompletionBlocksAfterOneAndReleasesOneOnFail. Envoy lets the next one try. Here one failure is for all, so that a broken origin is asked once.
    [Fact]
    public async Task A_failure_releases_all_that_wait()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        await exchange.RespondAsync("down", 503);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), static response => Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode));
        Assert.Equal(1, Origin.Requests);
    }

    // DefaultBlockUntilCompletionSkipsOneOnFilterDeletion
    [Fact]
    public async Task One_that_has_left_while_it_waited_sends_nothing_when_the_others_go_on_their_own()
    {
        using var leaving = new CancellationTokenSource();
        var first = GetAsync();
        var exchange = await Origin.NextAsync();
        var (gone, third) = (SendAsync(HttpMethod.Get, "/", leaving.Token), GetAsync());
        await Flights.UntilSubscribersAsync(3);
        await leaving.CancelAsync();
        await gone.ThrowsAsync<OperationCanceledException>();
        await exchange.RespondAsync("one", 200, ("Cache-Control", "private"));
        await (await Origin.NextAsync()).RespondAsync("other");
        Assert.Equal(("one", "other", 2), (await TextOf(first), await TextOf(third), Origin.Requests));
    }
}
