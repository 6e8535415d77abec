using System.Net;
using CsCheck;
using RequestCoalescing.Http.Rules;

namespace RequestCoalescing.Http.Tests;

/// <summary>Requests share exactly if nothing tells them apart, and nothing of a caller is sent for the others.</summary>
public sealed class KeyTests() : HandlerFixture
{
    [Theory]
    [InlineData("/a", "/b", false)]
    [InlineData("/a?x=1", "/a?x=2", false)]
    [InlineData("/a?x=1&y=2", "/a?y=2&x=1", false)]
    [InlineData("/a", "/A", false)]
    [InlineData("/a", "/a?", false)]
    [InlineData("/a#x", "/a#y", true)]
    [InlineData("/%C3%A9", "/é", true)]
    public Task The_target_counts_byte_for_byte(string one, string other, bool isShared) => PairAsync((one, []), (other, []), isShared);

    [Theory]
    [InlineData("X-Tenant", "a", "b", false)]
    [InlineData("X-Tenant", "a", null, false)]
    [InlineData("X-Api-Key", "a", "b", false)]
    [InlineData("Accept", "text/html", "application/json", false)]
    [InlineData("Accept-Language", "de", "en", false)]
    [InlineData("Accept-Encoding", "gzip", "br", false)]
    [InlineData("Origin", "https://a", "https://b", false)]
    [InlineData("Host", "a.example", "b.example", false)]
    [InlineData("Cache-Control", "max-age=5", "max-age=6", false)]
    [InlineData("User-Agent", "a/1", "b/2", true)]
    [InlineData("X-Forwarded-For", "10.0.0.1", "10.0.0.2", true)]
    [InlineData("Forwarded", "for=10.0.0.1", "for=10.0.0.2", true)]
    [InlineData("traceparent", "00-1-2-01", "00-3-4-01", true)]
    [InlineData("baggage", "user=1", "user=2", true)]
    [InlineData("X-Request-Id", "1", "2", true)]
    [InlineData("Referer", "https://a", null, true)]
    [InlineData("If-None-Match", "\"a\"", "\"b\"", true)]
    public Task A_header_counts_unless_it_only_forwards_traces_or_identifies(string name, string one, string? other, bool isShared) =>
        PairAsync(("/", [(name, one)]), ("/", other is null ? [] : [(name, other)]), isShared);

    [Theory]
    [InlineData("Authorization", "Bearer a", "Bearer a", true)]
    [InlineData("Authorization", "Bearer a", "Bearer b", false)]
    [InlineData("Authorization", "Bearer a", null, false)]
    [InlineData("Cookie", "session=1", "session=1", true)]
    [InlineData("Cookie", "session=1", "session=2", false)]
    public Task What_a_policy_allows_counts(string name, string one, string? other, bool isShared)
    {
        Use(static options => (options.AllowAuthorization, options.AllowCookies) = (true, true));
        return PairAsync(("/", [(name, one)]), ("/", other is null ? [] : [(name, other)]), isShared);
    }

    [Fact]
    public async Task The_shared_request_carries_nothing_that_is_not_in_the_key()
    {
        var call = GetAsync("/", ("X-Tenant", "a"), ("X-Forwarded-For", "10.0.0.1"), ("traceparent", "00-1-2-01"), ("If-None-Match", "\"a\""), ("User-Agent", "a/1"));
        var exchange = await Origin.NextAsync();
        Assert.Equal(("a", "a/1"), (exchange.Headers["X-Tenant"], exchange.Headers["User-Agent"]));
        Assert.DoesNotContain(exchange.Headers.Keys, static name => name is "X-Forwarded-For" or "If-None-Match");
        Assert.NotEqual("00-1-2-01", exchange.Headers.GetValueOrDefault("traceparent"));
        await exchange.RespondAsync("post");
        await call.SoonAsync();

        Use(static options => options.SendsUserAgent = false);
        call = GetAsync("/", ("User-Agent", "a/1"));
        exchange = await Origin.NextAsync();
        Assert.DoesNotContain("User-Agent", exchange.Headers.Keys);
        await exchange.RespondAsync("post");
        await call.SoonAsync();
    }

    [Fact]
    public async Task Callers_that_a_response_does_not_match_form_flights_of_their_own_and_the_next_burst_knows_it()
    {
        Use(static options => options.IgnoredHeaders.Add("X-Theme"));
        var calls = new[] { "dark", "light", "light", "dark", null }.Select(GetThemeAsync).ToArray();
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(5);
        await first.RespondAsync("none", 200, ("Vary", "X-Theme"));
        for (var i = 0; i < 2; i++)
        {
            var exchange = await Origin.NextAsync();
            await Flights.UntilSubscribersAsync(i == 0 ? 4 : 2);
            await exchange.RespondAsync(exchange.Headers.GetValueOrDefault("X-Theme", "none"), 200, ("Vary", "X-Theme"));
        }

        Assert.Equal(["dark", "light", "light", "dark", "none"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        Assert.Equal(3, Origin.Requests);

        calls = [.. new[] { "dark", "light", "light", "dark" }.Select(GetThemeAsync)];
        var (one, other) = (await Origin.NextAsync(), await Origin.NextAsync());
        await Flights.UntilSubscribersAsync(4);
        foreach (var exchange in new[] { one, other }) await exchange.RespondAsync(exchange.Headers["X-Theme"], 200, ("Vary", "X-Theme"));
        Assert.Equal(["dark", "light", "light", "dark"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());

        Task<HttpResponseMessage> GetThemeAsync(string? theme) => theme is null ? GetAsync() : GetAsync("/", ("X-Theme", theme));
    }

    [Fact]
    public async Task Conditions_are_answered_for_each_caller()
    {
        var calls = new[]
        {
            GetAsync(),
            GetAsync("/", ("If-None-Match", "\"old\", W/\"new\"")),
            GetAsync("/", ("If-None-Match", "\"old\"")),
            GetAsync("/", ("If-None-Match", "*")),
            GetAsync("/", ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT")),
            GetAsync("/", ("If-Modified-Since", "Wed, 31 Dec 2025 23:59:59 GMT")),
            GetAsync("/", ("If-None-Match", "\"old\""), ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT")),
        };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(7);
        await exchange.RespondAsync("post", 200, ("ETag", "\"new\""), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("X-Other", "1"));
        var responses = await Task.WhenAll(calls).SoonAsync();
        Assert.Equal([200, 304, 200, 304, 304, 200, 200], responses.Select(response => (int)response.StatusCode));
        Assert.All(responses, response => Assert.Equal("\"new\"", response.Headers.ETag!.Tag));
        Assert.All(responses, response => Assert.Equal((int)response.StatusCode == 200, response.Headers.Contains("X-Other")));
        Assert.Equal(["post", "", "post", "", "", "post", "post"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_HEAD_request_rides_on_a_GET_request_and_not_the_reverse()
    {
        var get = GetAsync();
        var exchange = await Origin.NextAsync();
        var head = SendAsync(HttpMethod.Head, "/", default);
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("post", 200, ("Content-Length", "4"));
        using var answer = await head.SoonAsync();
        Assert.Equal((HttpStatusCode.OK, 4L, ""), (answer.StatusCode, answer.Content.Headers.ContentLength, await answer.Content.ReadAsStringAsync()));
        Assert.Equal("post", await TextOf(get));
        await AllIsFreeAsync();

        head = SendAsync(HttpMethod.Head, "/", default);
        var first = await Origin.NextAsync();
        get = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("post");
        Assert.Equal("post", await TextOf(get));
        await first.RespondAsync("");
        await head.SoonAsync();
    }

    [Fact]
    public void Requests_with_different_headers_have_different_keys_whatever_they_contain()
    {
        var text = Gen.String[Gen.Char[' ', 'ÿ'], 0, 12];
        string[] known = ["X-A", "X-B", "Accept", "Accept-Language", "Cookie", "Authorization", "Cache-Control", "Pragma", "If-None-Match", "Range", "Vary", "User-Agent", "X-Forwarded-For"];
        var names = Gen.Int[0, known.Length - 1].Select(i => known[i]);
        var headers = Gen.Select(names, text).Array[0, 5];
        Gen.Select(headers, headers).Sample((one, other) =>
        {
            var options = new HttpCoalescingOptions { AllowAuthorization = true, AllowCookies = true };
            var (first, second) = (Request(one), Request(other));
            RequestRules.MayShare(first, options);
            var areEqual = KeyOf(first, options) == KeyOf(second, options);
            Assert.Equal(Visible(first, options).SequenceEqual(Visible(second, options)), areEqual);
        }, iter: 20_000);

        static HttpRequestMessage Request((string Name, string Value)[] headers)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "http://localhost/a");
            foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
            return request;
        }

        static string KeyOf(HttpRequestMessage request, HttpCoalescingOptions options) => new RequestHead(request, RequestHead.TargetOf(request), [], options).Key(request.Method, null);

        static IEnumerable<string> Visible(HttpRequestMessage request, HttpCoalescingOptions options) => request.Headers.NonValidated
            .Where(header => header.Key is not "If-None-Match" and not "User-Agent" && !options.IgnoredHeaders.Contains(header.Key))
            .Select(header => $"{header.Key}={header.Value}").Order(StringComparer.Ordinal);
    }

    private async Task PairAsync((string Path, (string, string)[] Headers) one, (string Path, (string, string)[] Headers) other, bool isShared)
    {
        var first = GetAsync(one.Path, one.Headers);
        var exchange = await Origin.NextAsync();
        var second = GetAsync(other.Path, other.Headers);
        if (isShared) await Flights.UntilSubscribersAsync(2);
        else await (await Origin.NextAsync()).RespondAsync("second");
        await exchange.RespondAsync("first");
        Assert.Equal(("first", isShared ? "first" : "second"), (await TextOf(first), await TextOf(second)));
        Assert.Equal(isShared ? 1 : 2, Origin.Requests);
    }
}
