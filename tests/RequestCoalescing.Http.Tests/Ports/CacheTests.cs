using System.Globalization;

namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>
/// The cases of the HTTP working group's cache-tests that also mean something for two requests in the air. Each row names its case. A row says "Apart" where a
/// cache must not reuse the response, and also where a cache may reuse it but the library keeps the requests apart (docs/http.md).
/// </summary>
public sealed class CacheTests() : HandlerFixture
{
    private const string Fresh = "Cache-Control: max-age=100000";
    private const string Varies = "Cache-Control: max-age=5000 | Vary: Foo";
    private const string Varies2 = "Cache-Control: max-age=5000 | Vary: Foo, Bar";
    private const string Varies3 = "Cache-Control: max-age=5000 | Vary: Foo, Bar, Baz";

    [Theory]
    [InlineData("cc-resp-private-shared", Outcome.Apart, "Cache-Control: private, max-age=3600")]
    [InlineData("cc-resp-no-store", Outcome.Apart, "Cache-Control: no-store")]
    [InlineData("cc-resp-no-store-case-insensitive", Outcome.Apart, "Cache-Control: No-StOrE")]
    [InlineData("cc-resp-no-store-fresh", Outcome.Apart, "Cache-Control: max-age=10000, no-store | Expires: Sat, 29 Oct 2044 19:43:31 GMT")]
    [InlineData("cc-resp-no-store-old-max-age", Outcome.Apart, "Cache-Control: no-store, max-age=0")]
    [InlineData("cc-resp-no-cache", Outcome.Shared, "Cache-Control: max-age=10000, no-cache")] // a later request asks the origin anyway
    [InlineData("cc-resp-no-cache-case-insensitive", Outcome.Shared, "Cache-Control: max-age=10000, No-CaChE")]
    [InlineData("cc-resp-no-cache-revalidate", Outcome.Shared, "Cache-Control: no-cache | ETag: \"abcd\"")]
    [InlineData("cc-resp-must-revalidate-fresh", Outcome.Shared, "Cache-Control: max-age=10000, must-revalidate")]
    [InlineData("pragma-response-no-cache", Outcome.Shared, "Cache-Control: max-age=3600 | Pragma: no-cache")]
    [InlineData("pragma-response-extension", Outcome.Shared, "Cache-Control: max-age=3600 | Pragma: unrecognised-extension")]
    [InlineData("other-fresh-content-disposition-attachment", Outcome.Shared, Fresh + " | Content-Disposition: attachment; filename=example.txt")]
    [InlineData("other-set-cookie", Outcome.Apart, Fresh + " | Set-Cookie: a=b")] // a cache may reuse it, and would give one user's cookie to others
    [InlineData("status-200-fresh", Outcome.Shared, Fresh, "", "", 200)]
    [InlineData("status-203-fresh", Outcome.Shared, Fresh, "", "", 203)]
    [InlineData("status-299-fresh", Outcome.Shared, Fresh, "", "", 299)]
    [InlineData("status-301-fresh", Outcome.Shared, Fresh, "", "", 301)]
    [InlineData("status-302-fresh", Outcome.Shared, Fresh, "", "", 302)]
    [InlineData("status-303-fresh", Outcome.Shared, Fresh, "", "", 303)]
    [InlineData("status-307-fresh", Outcome.Shared, Fresh, "", "", 307)]
    [InlineData("status-308-fresh", Outcome.Shared, Fresh, "", "", 308)]
    [InlineData("status-400-fresh", Outcome.Shared, Fresh, "", "", 400)]
    [InlineData("status-404-fresh", Outcome.Shared, Fresh, "", "", 404)]
    [InlineData("status-410-fresh", Outcome.Shared, Fresh, "", "", 410)]
    [InlineData("status-499-fresh", Outcome.Shared, Fresh, "", "", 499)]
    [InlineData("status-500-fresh", Outcome.Shared, Fresh, "", "", 500)]
    [InlineData("status-502-fresh", Outcome.Shared, Fresh, "", "", 502)]
    [InlineData("status-503-fresh", Outcome.Shared, Fresh, "", "", 503)]
    [InlineData("status-504-fresh", Outcome.Shared, Fresh, "", "", 504)]
    [InlineData("status-599-fresh", Outcome.Shared, Fresh, "", "", 599)]
    [InlineData("status-599-must-understand", Outcome.Apart, "Cache-Control: max-age=3600, no-store, must-understand", "", "", 599)]
    [InlineData("status-200-must-understand", Outcome.Apart, "Cache-Control: max-age=3600, no-store, must-understand")] // a cache may ignore the no-store
    [InlineData("other-authorization", Outcome.Apart, Fresh, "Authorization: FOO")]
    [InlineData("other-authorization-public", Outcome.Apart, "Cache-Control: max-age=3600, public", "Authorization: FOO")] // known too late: the first went alone
    [InlineData("other-authorization-must-revalidate", Outcome.Apart, "Cache-Control: max-age=3600, must-revalidate", "Authorization: FOO")]
    [InlineData("other-authorization-smaxage", Outcome.Apart, "Cache-Control: s-maxage=3600", "Authorization: FOO")]
    [InlineData("other-cookie", Outcome.Apart, Fresh, "", "Cookie: a=b")]
    [InlineData("ccreq-ma0", Outcome.Apart, Fresh, "", "Cache-Control: max-age=0")]
    [InlineData("ccreq-ma1", Outcome.Apart, Fresh, "", "Cache-Control: max-age=1")]
    [InlineData("ccreq-magreaterage", Outcome.Apart, Fresh + " | Age: 1800", "", "Cache-Control: max-age=600")]
    [InlineData("ccreq-max-stale", Outcome.Apart, Fresh, "", "Cache-Control: max-stale=1000")] // a header that is not ignored keeps requests apart
    [InlineData("ccreq-max-stale-age", Outcome.Shared, "Cache-Control: max-age=1500 | Age: 2000", "Cache-Control: max-stale=1000", "Cache-Control: max-stale=1000")]
    [InlineData("ccreq-min-fresh", Outcome.Apart, "Cache-Control: max-age=1500", "", "Cache-Control: min-fresh=2000")]
    [InlineData("ccreq-min-fresh-age", Outcome.Apart, "Cache-Control: max-age=1500 | Age: 1000", "", "Cache-Control: min-fresh=1000")]
    [InlineData("ccreq-no-cache", Outcome.Apart, Fresh, "", "Cache-Control: no-cache")]
    [InlineData("ccreq-no-cache-etag", Outcome.Apart, Fresh + " | ETag: \"abc\"", "", "Cache-Control: no-cache | If-None-Match: \"abc\"")]
    [InlineData("ccreq-no-store", Outcome.Apart, Fresh, "", "Cache-Control: no-store")]
    [InlineData("ccreq-oic", Outcome.Apart, Fresh, "", "Cache-Control: only-if-cached")] // this is no cache that could answer 504
    [InlineData("pragma-request-no-cache", Outcome.Apart, Fresh, "", "Pragma: no-cache")]
    [InlineData("pragma-request-extension", Outcome.Shared, Fresh, "Pragma: unrecognised-extension", "Pragma: unrecognised-extension")]
    [InlineData("vary-match", Outcome.Shared, Varies, "Foo: 1", "Foo: 1")]
    [InlineData("vary-no-match", Outcome.Apart, Varies, "Foo: 1", "Foo: 2")]
    [InlineData("vary-omit-stored", Outcome.Apart, Varies, "", "Foo: 1")]
    [InlineData("vary-omit", Outcome.Apart, Varies, "Foo: 1")]
    [InlineData("vary-cache-key", Outcome.Shared, Varies, "Foo: 1 | Other: 2", "Foo: 1 | Other: 3")]
    [InlineData("vary-2-match", Outcome.Shared, Varies2, "Foo: 1 | Bar: abc", "Foo: 1 | Bar: abc")]
    [InlineData("vary-2-no-match", Outcome.Apart, Varies2, "Foo: 1 | Bar: abc", "Foo: 2 | Bar: abc")]
    [InlineData("vary-2-match-omit", Outcome.Apart, Varies2, "Foo: 1 | Bar: abc")]
    [InlineData("vary-3-match", Outcome.Shared, Varies3, "Foo: 1 | Bar: abc | Baz: 789", "Foo: 1 | Bar: abc | Baz: 789")]
    [InlineData("vary-3-no-match", Outcome.Apart, Varies3, "Foo: 1 | Bar: abc | Baz: 789", "Foo: 2 | Bar: abc | Baz: 789")]
    [InlineData("vary-3-order", Outcome.Apart, Varies3, "Foo: 1 | Bar: abc | Baz: 789", "Foo: 1 | Baz: 789 | Bar: abcde")]
    [InlineData("vary-3-omit", Outcome.Shared, Varies3, "Foo: 1 | Baz: 789", "Baz: 789 | Foo: 1")]
    [InlineData("vary-match: an ignored header that is sent", Outcome.Shared, Fresh + " | Vary: User-Agent", "User-Agent: a/1", "User-Agent: a/1")]
    [InlineData("vary-no-match: an ignored header that is sent", Outcome.Apart, Fresh + " | Vary: User-Agent", "User-Agent: a/1", "User-Agent: b/2")]
    [InlineData("vary-star", Outcome.Apart, Fresh + " | Vary: *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-star-star", Outcome.Apart, Fresh + " | Vary: *, *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-star-star-lines", Outcome.Apart, Fresh + " | Vary: * | Vary: *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-empty-star", Outcome.Apart, Fresh + " | Vary: , *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-empty-star-lines", Outcome.Apart, Fresh + " | Vary: | Vary: *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-star-foo", Outcome.Apart, Fresh + " | Vary: *, Foo", "Foo: 1", "Foo: 1")]
    [InlineData("vary-syntax-foo-star", Outcome.Apart, Fresh + " | Vary: Foo, *", "Foo: 1", "Foo: 1")]
    [InlineData("vary-normalise-combine", Outcome.Shared, Varies, "Foo: 1, 2", "Foo: 1 | Foo: 2")]
    [InlineData("vary-normalise-space", Outcome.Apart, Varies, "Foo: 1,2", "Foo: 1, 2")] // a cache may know that they are equal
    [InlineData("vary-normalise-lang-order", Outcome.Apart, Fresh, "Accept-Language: en, de", "Accept-Language: de, en")]
    [InlineData("conditional-etag-strong-respond", Outcome.NotModified, Fresh + " | ETag: \"abcdef\"", "", "If-None-Match: \"abcdef\"")]
    [InlineData("conditional-etag-precedence", Outcome.NotModified, Fresh + " | ETag: \"abcdef\" | Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "", "If-None-Match: \"abcdef\" | If-Modified-Since: Wed, 31 Dec 2025 00:00:00 GMT")]
    [InlineData("conditional-etag-quoted-respond-unquoted", Outcome.Shared, Fresh + " | ETag: \"abcdef\"", "", "If-None-Match: abcdef")]
    [InlineData("conditional-etag-unquoted-respond-unquoted", Outcome.Shared, Fresh + " | ETag: abcdef", "", "If-None-Match: abcdef")]
    [InlineData("conditional-etag-unquoted-respond-quoted", Outcome.Shared, Fresh + " | ETag: abcdef", "", "If-None-Match: \"abcdef\"")]
    [InlineData("conditional-etag-weak-respond", Outcome.NotModified, Fresh + " | ETag: W/\"abcdef\"", "", "If-None-Match: W/\"abcdef\"")]
    [InlineData("conditional-etag-weak-respond-backslash", Outcome.Shared, Fresh + " | ETag: W\\\"abcdef\"", "", "If-None-Match: W\\\"abcdef\"")]
    [InlineData("conditional-etag-weak-respond-omit-slash", Outcome.Shared, Fresh + " | ETag: W\"abcdef\"", "", "If-None-Match: W\"abcdef\"")]
    [InlineData("conditional-etag-strong-respond-multiple-first", Outcome.NotModified, Fresh + " | ETag: \"abcdef\"", "", "If-None-Match: \"abcdef\", \"1234\", \"5678\"")]
    [InlineData("conditional-etag-strong-respond-multiple-second", Outcome.NotModified, Fresh + " | ETag: \"abcdef\"", "", "If-None-Match: \"1234\", \"abcdef\", \"5678\"")]
    [InlineData("conditional-etag-strong-respond-multiple-last", Outcome.NotModified, Fresh + " | ETag: \"abcdef\"", "", "If-None-Match: \"1234\", \"5678\", \"abcdef\"")]
    [InlineData("conditional-etag-vary-headers-mismatch", Outcome.Apart, Fresh + " | ETag: \"abcdef\" | Vary: Foo", "Foo: 123", "Foo: 456 | If-None-Match: \"1234\"")]
    [InlineData("conditional-lm-fresh", Outcome.NotModified, Fresh + " | Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT")]
    [InlineData("conditional-lm-fresh-earlier", Outcome.NotModified, Fresh + " | Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "", "If-Modified-Since: Thu, 01 Jan 2026 00:30:00 GMT")]
    [InlineData("conditional-lm-fresh-rfc850", Outcome.NotModified, Fresh + " | Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "", "If-Modified-Since: Thursday, 01-Jan-26 00:00:00 GMT")]
    [InlineData("conditional-lm-fresh-no-lm", Outcome.Shared, Fresh, "", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT")] // a cache may compare with the Date
    public async Task Two_requests_in_the_air_become_what_a_cache_would_make_of_them(string id, Outcome outcome, string response, string first = "", string second = "", int status = 200)
    {
        Assert.NotNull(id);
        Use(static options => options.IgnoredHeaders.UnionWith(["Foo", "Bar", "Baz", "Other"]));
        var one = GetAsync("/", Headers(first));
        await Patience.UntilAsync(() => Origin.Requests == 1, "the first request is at the origin");
        var other = GetAsync("/", Headers(second));
        Task<HttpResponseMessage>[] calls = [one, other];
        for (var answered = 0; ; answered++)
        {
            await Patience.UntilAsync(() => AllWait(calls, answered), "each request has a response, or waits for one");
            if (calls.All(static call => call.IsCompleted)) break;
            await (await Origin.NextAsync()).RespondAsync((answered + 1).ToString(CultureInfo.InvariantCulture), status, Headers(response));
        }

        Assert.Equal(outcome == Outcome.NotModified ? 304 : status, (int)(await other).StatusCode);
        Assert.Equal(status, (int)(await one).StatusCode);
        var texts = await Task.WhenAll(calls.Select(TextOf)).SoonAsync();
        if (outcome == Outcome.NotModified) Assert.Equal(("1", "", 1), (texts[0], texts[1], Origin.Requests));
        else Assert.Equal(outcome == Outcome.Shared, texts[0] == texts[1]);
        await AllIsFreeAsync();
    }

    // The case status-599-must-understand, with a status of a class that is not an error.
    [Fact]
    public Task A_response_that_must_be_understood_is_not_shared_if_its_status_is_unknown() =>
        Two_requests_in_the_air_become_what_a_cache_would_make_of_them("status-299-must-understand", Outcome.Apart, "Cache-Control: max-age=3600, must-understand", status: 299);

    // The case conditional-304-etag, and the headers that a 304 leaves out.
    [Fact]
    public async Task A_304_repeats_the_validators_and_not_the_rest()
    {
        var calls = new[] { GetAsync(), GetAsync("/", ("If-None-Match", "\"abcdef\"")) };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("post", 200, ("ETag", "\"abcdef\""), ("Cache-Control", "max-age=5"), ("X-Other", "1"), ("Content-Language", "en"));
        using var notModified = await calls[1].SoonAsync();
        Assert.Equal(("\"abcdef\"", TimeSpan.FromSeconds(5)), (notModified.Headers.ETag!.Tag, notModified.Headers.CacheControl!.MaxAge));
        Assert.Equal((false, 0), (notModified.Headers.Contains("X-Other"), notModified.Content.Headers.ContentLanguage.Count));
        Assert.Equal("post", await TextOf(calls[0]));
    }

    // The case headers-omit-headers-listed-in-Connection.
    [Fact]
    public async Task A_header_that_the_response_names_in_Connection_reaches_no_caller()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("post", 200, ("Connection", "a, b"), ("a", "1"), ("b", "2"), ("c", "3"));
        foreach (var response in await Task.WhenAll(calls).SoonAsync())
        {
            Assert.Equal((false, false, true), (response.Headers.Contains("a"), response.Headers.Contains("b"), response.Headers.Contains("c")));
            response.Dispose();
        }
    }

    private static (string, string)[] Headers(string lines) =>
        [.. lines.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(':', 2)).Select(static parts => (parts[0].Trim(), parts[1].Trim()))];

    // Each call has ended, waits for a flight that is at the origin, or is there alone. The order of the looks matters: an exchange is seen before its call.
    private bool AllWait(Task[] calls, int answered)
    {
        var atOrigin = Origin.Requests - answered;
        var stats = Flights.GetStats();
        return atOrigin >= stats.InFlightCount && calls.Count(static call => call.IsCompleted) + stats.TotalSubscribers + atOrigin - stats.InFlightCount == calls.Length;
    }
}
