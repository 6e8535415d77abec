using System.Net;

namespace RequestCoalescing.Http.Tests;

/// <summary>Which requests share a response, and which responses are shared. Each row names the section of the RFC that it follows.</summary>
public sealed class RuleTests() : HandlerFixture
{
    [Theory]
    [InlineData("RFC 9110, 9.3.1", "GET", true)]
    [InlineData("RFC 9110, 9.3.2", "HEAD", true)]
    [InlineData("RFC 9110, 9.3.3", "POST", false)]
    [InlineData("RFC 9110, 9.3.4", "PUT", false)]
    [InlineData("RFC 9110, 9.3.5", "DELETE", false)]
    [InlineData("RFC 9110, 9.3.7", "OPTIONS", false)]
    [InlineData("RFC 9110, 8.4", "GET", true, "Accept-Encoding", "gzip")]
    [InlineData("RFC 9110, 9.3.1: content", "GET", false, "content", "x")]
    [InlineData("RFC 9110, 10.1.1", "GET", false, "Expect", "something")]
    [InlineData("RFC 9110, 7.8", "GET", false, "Upgrade", "h2c")]
    [InlineData("RFC 9111, 5.2.1.5", "GET", false, "Cache-Control", "no-store")]
    [InlineData("RFC 9111, 5.2.1.4", "GET", false, "Cache-Control", "no-cache")]
    [InlineData("RFC 9111, 5.2.1.4: case", "GET", false, "Cache-Control", "min-fresh=1, No-Cache")]
    [InlineData("RFC 9111, 5.2.1.1", "GET", false, "Cache-Control", "max-age=0")]
    [InlineData("RFC 9111, 5.2.1.1: longer", "GET", true, "Cache-Control", "max-age=60")]
    [InlineData("RFC 9111, 5.2.1.7", "GET", false, "Cache-Control", "only-if-cached")]
    [InlineData("RFC 9111, 5.2: cannot be parsed", "GET", false, "Cache-Control", "max-age=\"")]
    [InlineData("RFC 9111, 5.4", "GET", false, "Pragma", "no-cache")]
    [InlineData("RFC 9110, 11.6.2", "GET", false, "Authorization", "Bearer a")]
    [InlineData("RFC 9110, 11.7.2", "GET", false, "Proxy-Authorization", "Basic a")]
    [InlineData("RFC 6265, 8", "GET", false, "Cookie", "session=1")]
    [InlineData("RFC 9110, 14.2", "GET", false, "Range", "bytes=0-1")]
    [InlineData("RFC 9110, 13.1.1", "GET", false, "If-Match", "\"a\"")]
    [InlineData("RFC 9110, 13.1.4", "GET", false, "If-Unmodified-Since", "Sat, 29 Oct 1994 19:43:31 GMT")]
    [InlineData("RFC 9110, 13.1.5", "GET", false, "If-Range", "\"a\"")]
    [InlineData("RFC 9110, 13.1.2", "GET", true, "If-None-Match", "\"a\"")]
    [InlineData("RFC 9110, 13.1.3", "GET", true, "If-Modified-Since", "Sat, 29 Oct 1994 19:43:31 GMT")]
    public async Task A_request_shares_exactly_if_the_rules_allow_it(string section, string method, bool isShared, string? name = null, string? value = null)
    {
        Assert.NotNull(section);
        var (first, second) = (SendAsync(), default(Task<HttpResponseMessage>));
        var exchange = await Origin.NextAsync();
        second = SendAsync();
        if (isShared) await Flights.UntilSubscribersAsync(2);
        else await (await Origin.NextAsync()).RespondAsync("second");
        await exchange.RespondAsync("first");
        Assert.All(await Task.WhenAll(first, second).SoonAsync(), response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        Assert.Equal(isShared ? 1 : 2, Origin.Requests);

        Task<HttpResponseMessage> SendAsync()
        {
            var request = new HttpRequestMessage(new HttpMethod(method), "/");
            if (name == "content") request.Content = new StringContent(value!);
            else if (name is not null) Assert.True(request.Headers.TryAddWithoutValidation(name, value));
            return Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
    }

    [Theory]
    [InlineData("RFC 9111, 3: heuristic", 200, true)]
    [InlineData("RFC 9111, 3: heuristic", 404, true)]
    [InlineData("RFC 9111, 3: heuristic", 204, true)]
    [InlineData("RFC 9111, 3: heuristic", 301, true)]
    [InlineData("RFC 9111, 3: no lifetime", 302, false)]
    [InlineData("RFC 9111, 3: explicit lifetime", 302, true, "Cache-Control", "max-age=5")]
    [InlineData("RFC 9111, 3: explicit lifetime", 403, true, "Expires", "Sat, 29 Oct 2044 19:43:31 GMT")]
    [InlineData("RFC 9111, 5.2.2.9", 403, true, "Cache-Control", "public")]
    [InlineData("RFC 9111, 5.2.2.10", 403, true, "Cache-Control", "s-maxage=5")]
    [InlineData("RFC 9111, 3: no lifetime", 403, false)]
    [InlineData("RFC 9111, 5.2.2.5", 200, false, "Cache-Control", "no-store")]
    [InlineData("RFC 9111, 5.2.2.7", 200, false, "Cache-Control", "private")]
    [InlineData("RFC 9111, 5.2.2.7: with a lifetime", 200, false, "Cache-Control", "private, max-age=60")]
    [InlineData("RFC 9111, 5.2.2.7: names fields", 200, false, "Cache-Control", "private=\"X-User\"")]
    [InlineData("RFC 9111, 5.2.2.4: may be stored", 200, true, "Cache-Control", "no-cache")]
    [InlineData("RFC 9111, 5.2: cannot be parsed", 200, false, "Cache-Control", "max-age=\"")]
    [InlineData("RFC 6265, 3", 200, false, "Set-Cookie", "session=1")]
    [InlineData("RFC 9110, 12.5.5", 200, false, "Vary", "*")]
    [InlineData("RFC 9110, 12.5.5: among others", 200, false, "Vary", "Accept, *")]
    [InlineData("RFC 9110, 12.5.5: alike", 200, true, "Vary", "Accept")]
    [InlineData("RFC 9110, 15.3.7", 206, false, "Content-Range", "bytes 0-3/9")]
    [InlineData("RFC 9110, 15.5.2", 401, false)]
    [InlineData("RFC 9110, 15.5.8", 407, false)]
    [InlineData("RFC 6585, 4", 429, false, "Cache-Control", "public, max-age=5")]
    [InlineData("one failure, one error", 500, true)]
    [InlineData("one failure, one error", 503, true)]
    [InlineData("RFC 9111, 5.2.2.7: protected", 500, false, "Cache-Control", "private")]
    [InlineData("RFC 9111, 5.2.2.5: protected", 500, false, "Cache-Control", "no-store")]
    public async Task A_response_is_shared_exactly_if_the_rules_allow_it(string section, int status, bool isShared, string? name = null, string? value = null)
    {
        Assert.NotNull(section);
        var calls = new[] { GetAsync(), GetAsync() };
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        (string, string)[] headers = name is null ? [] : [(name, value!)];
        await first.RespondAsync("first", status, headers);
        if (!isShared)
        {
            await (await Origin.NextAsync()).RespondAsync("second", status, headers); // the follower goes on its own
            Assert.Equal(["first", "second"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));

            // The next burst waits for nobody.
            calls = [GetAsync(), GetAsync()];
            var exchanges = new[] { await Origin.NextAsync(), await Origin.NextAsync() };
            foreach (var exchange in exchanges) await exchange.RespondAsync("next", status, headers);
            await Task.WhenAll(calls).SoonAsync();
            Assert.Equal(4, Origin.Requests);

            // After a while, one is tried again.
            Clock.Advance(TimeSpan.FromMinutes(2));
            calls = [GetAsync(), GetAsync()];
            var again = await Origin.NextAsync();
            await Flights.UntilSubscribersAsync(2);
            await again.RespondAsync("public");
            Assert.All(await Task.WhenAll(calls.Select(TextOf)).SoonAsync(), text => Assert.Equal("public", text));
            return;
        }

        Assert.All(await Task.WhenAll(calls).SoonAsync(), response => Assert.Equal(status, (int)response.StatusCode));
        Assert.Equal(1, Origin.Requests);
    }

    [Theory]
    [InlineData("private, max-age=60", true)]
    [InlineData("no-store", false)]
    [InlineData("s-maxage=5", true)]
    public async Task A_private_client_shares_what_a_private_cache_may_store(string control, bool isShared)
    {
        Use(static options => options.Mode = SharingMode.Private);
        var calls = new[] { GetAsync(), GetAsync() };
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await first.RespondAsync("first", 200, ("Cache-Control", control));
        if (!isShared) await (await Origin.NextAsync()).RespondAsync("second");
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(isShared ? 1 : 2, Origin.Requests);
    }

    [Fact]
    public async Task A_leader_that_has_left_takes_no_response_that_is_for_it_alone()
    {
        var (exchange, follower) = await FollowALeaderThatLeavesAsync();
        await exchange.BeginAsync(200, ("Cache-Control", "private"));
        await (await Origin.NextAsync()).RespondAsync("own");
        Assert.Equal("own", await TextOf(follower));
        await exchange.Aborted.SoonAsync(); // the response of the leader is given up
        exchange.End();
    }
}
