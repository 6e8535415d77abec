using System.Globalization;
using System.Net;
using CsCheck;
using RequestCoalescing.Http.Rules;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http.Tests;

/// <summary>Malformed headers never fail a request, and never let a response be shared that well-formed ones would keep apart.</summary>
public sealed class FuzzTests
{
    private static readonly Gen<string> s_byte = Gen.Char[' ', 'ÿ'].Select(static letter => letter.ToString());

    private static readonly Gen<string> s_part = Gen.Frequency((1, s_byte), (6, Gen.OneOf(
        "\"", "\\", ",", "=", ";", " ", "\t", "*", "W/", "0", "1", "-", ":", "GMT", "max-age", "s-maxage", "public", "private", "no-store", "no-cache", "No-Store", "only-if-cached", "x", "bytes", "accept", "\"a\"", "99999999999")));

    private static readonly Gen<string> s_line = s_part.Array[0, 10].Select(string.Concat);

    // A line that was right before some of its bytes were taken out, put in or replaced.
    private static readonly Gen<string> s_mutated = Gen.Select(
        Gen.OneOf(
            "public, max-age=60", "private=\"X-User\", max-age=5", "max-age=60, must-revalidate", "s-maxage=10, ext=\"a, b\"", "no-cache=\"Set-Cookie\"", "Accept, Accept-Language", "*", "bytes=0-99", "W/\"abc\", \"def\"", "\"a\"",
            "Sat, 29 Oct 1994 19:43:31 GMT", "Saturday, 29-Oct-94 19:43:31 GMT", "Sat Oct 29 19:43:31 1994"),
        Gen.Select(Gen.Double.Unit, Gen.Int[0, 2], s_part).Array[0, 4]).Select(static (line, changes) => changes.Aggregate(line, static (text, change) =>
        {
            var at = (int)(change.Item1 * text.Length);
            var taken = Math.Min(change.Item2, text.Length - at);
            return text[..at] + change.Item3 + text[(at + taken)..];
        }));

    private static readonly Gen<string> s_any = Gen.OneOf(s_line, s_mutated);

    [Fact]
    public void No_line_beside_it_hides_a_directive_of_a_response() =>
        Gen.Select(s_any.Array[0, 2], Gen.OneOf("private", "no-store", "private=\"a\"", "Private, max-age=60"), s_any.Array[0, 2]).Sample(
            (before, forbidding, after) => Assert.False(IsShared([.. before, forbidding, .. after])),
            iter: 30_000);

    [Fact]
    public void No_line_beside_it_hides_a_directive_of_a_request() =>
        Gen.Select(s_any.Array[0, 2], Gen.OneOf("no-store", "no-cache", "max-age=0", "only-if-cached", "min-fresh=1, no-cache"), s_any.Array[0, 2]).Sample(
            (before, forbidding, after) => Assert.False(RequestRules.MayShare(Request([.. before.Append(forbidding).Concat(after).Select(static line => ("Cache-Control", line))]), new HttpCoalescingOptions())),
            iter: 30_000);

    [Fact]
    public void A_malformed_response_is_not_shared_if_it_may_be_private()
    {
        var shared = 0;
        s_any.Sample(line =>
        {
            if (!IsShared([line])) return;
            Interlocked.Increment(ref shared);
            var names = DirectivesOf(line);
            Assert.DoesNotContain("private", names);
            Assert.DoesNotContain("no-store", names);
        }, iter: 30_000);
        Assert.True(shared > 1_000, $"Only {shared} were shared.");
    }

    [Fact]
    public void A_response_whose_Vary_is_malformed_is_not_shared()
    {
        var shared = 0;
        s_any.Array[1, 3].Sample(lines =>
        {
            using var response = new HttpResponseMessage { Content = new ByteArrayContent([]) };
            foreach (var line in lines) response.Headers.TryAddWithoutValidation("Vary", line);
            if (!ResponseRules.MayShare(response, SharingMode.Shared, hasCredentials: false)) return;
            Interlocked.Increment(ref shared);
            string[] names = [.. string.Join(',', lines).Split(',').Select(static name => name.Trim(' ', '\t').ToLowerInvariant()).Where(static name => name.Length > 0)];
            Assert.All(names, static name => Assert.All(name, letter => Assert.True(char.IsAsciiLetterOrDigit(letter) || "!#$%&'*+-.^_`|~".Contains(letter, StringComparison.Ordinal), $"'{name}'")));
            Assert.DoesNotContain("*", names);
            Assert.Equal(names.Distinct().Order(StringComparer.Ordinal), ResponseRules.VaryOf(response));
        }, iter: 30_000);
        Assert.True(shared > 1_000, $"Only {shared} were shared.");
    }

    [Theory]
    [InlineData("Range")]
    [InlineData("If-Range")]
    [InlineData("If-Match")]
    [InlineData("If-Unmodified-Since")]
    [InlineData("Expect")]
    [InlineData("Upgrade")]
    [InlineData("Cookie")]
    [InlineData("Authorization")]
    public void A_header_that_keeps_a_request_apart_does_so_with_any_value(string name) =>
        s_any.Array[1, 2].Sample(lines => Assert.False(RequestRules.MayShare(Request([.. lines.Select(line => (name, line))]), new HttpCoalescingOptions())), iter: 2_000);

    [Fact]
    public void A_304_is_only_for_a_caller_that_has_named_the_tag_or_the_date()
    {
        var unmodified = 0;
        Gen.Select(s_any.Array[0, 2], s_any.Array[0, 1], s_any.Array[0, 1], s_any.Array[0, 1]).Sample((tags, dates, tag, date) =>
        {
            var request = Request([.. tags.Select(static line => ("If-None-Match", line)), .. dates.Select(static line => ("If-Modified-Since", line))]);
            using var origin = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent([]) };
            foreach (var line in tag) origin.Headers.TryAddWithoutValidation("ETag", line);
            foreach (var line in date) origin.Content.Headers.TryAddWithoutValidation("Last-Modified", line);
            var response = new SharedResponse(origin, new RequestHead(request, RequestHead.TargetOf(request), [], new HttpCoalescingOptions()), new SharedBody(new BufferBudget(0), 0, TimeSpan.FromSeconds(1), 0, TimeProvider.System), 0);
            if (!ResponseRules.IsNotModified(request, response)) return;
            Interlocked.Increment(ref unmodified);
            var known = string.Join(", ", tags);
            if (tags.Length > 0) Assert.True(known.Contains('*', StringComparison.Ordinal) || known.Contains(response.ETag!.Tag, StringComparison.Ordinal), $"{known} for {response.ETag}");
            else Assert.True(IsDate(dates.Single()) && IsDate(date.Single()), $"{dates.Single()} for {date.Single()}");
        }, iter: 30_000);
        Assert.True(unmodified > 100, $"Only {unmodified} were not modified.");
    }

    [Fact]
    public void Every_request_has_a_key_and_every_response_a_decision()
    {
        string[] ofRequests = ["Cache-Control", "Pragma", "Accept", "If-None-Match", "If-Modified-Since", "User-Agent", "Host", "Via", "Connection", "TE", "X-A"];
        string[] ofResponses = ["Cache-Control", "Vary", "ETag", "Connection", "Age", "Date", "Warning", "Transfer-Encoding", "Retry-After"];
        string[] ofContent = ["Content-Length", "Content-Type", "Expires", "Last-Modified", "Content-Range", "Content-Encoding"];
        Gen.Select(Named(ofRequests), Named(ofResponses), Named(ofContent), Gen.Int[200, 599]).Sample((headers, answered, content, status) =>
        {
            var options = new HttpCoalescingOptions();
            var request = Request(headers);
            RequestRules.MayShare(request, options);
            using var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new ByteArrayContent([]) };
            foreach (var (name, value) in answered) response.Headers.TryAddWithoutValidation(name, value);
            foreach (var (name, value) in content) response.Content.Headers.TryAddWithoutValidation(name, value);
            ResponseRules.MayShare(response, SharingMode.Private, hasCredentials: true);
            ResponseRules.MayShare(response, SharingMode.Shared, hasCredentials: false);
            var head = new RequestHead(request, RequestHead.TargetOf(request), ResponseRules.VaryOf(response), options);
            Assert.NotEmpty(head.Key(request.Method, null));
            _ = new SharedResponse(response, head, new SharedBody(new BufferBudget(0), 0, TimeSpan.FromSeconds(1), 0, TimeProvider.System), 0);
        }, iter: 20_000);

        static Gen<(string, string)[]> Named(string[] names) => Gen.Select(Gen.OneOf(names), s_any).Array[0, 5];
    }

    private static bool IsShared(string[] control)
    {
        using var response = new HttpResponseMessage { Content = new ByteArrayContent([]) };
        foreach (var line in control) response.Headers.TryAddWithoutValidation("Cache-Control", line);
        return ResponseRules.MayShare(response, SharingMode.Shared, hasCredentials: false);
    }

    private static HttpRequestMessage Request((string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "http://localhost/a");
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private static bool IsDate(string text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AllowWhiteSpaces, out _) || text.Contains("94", StringComparison.Ordinal);

    // The names of the directives outside of quotes. If a quote is open at the end, what is in it counts too.
    private static List<string> DirectivesOf(string line)
    {
        var (names, name, isQuoted, isEscaped, isValue) = (new List<string>(), "", false, false, false);
        foreach (var letter in line + ",")
        {
            if (isEscaped) isEscaped = false;
            else if (isQuoted && letter == '\\') isEscaped = true;
            else if (letter == '"') isQuoted = !isQuoted;
            else if (!isQuoted && letter == '=') isValue = true;
            else if (!isQuoted && letter == ',')
            {
                names.Add(name.Trim(' ', '\t').ToLowerInvariant());
                (name, isValue) = ("", false);
            }
            else if (!isQuoted && !isValue) name += letter;
        }

        return isQuoted ? [.. line.ToLowerInvariant().Split(',', '"', '=', ' ')] : names;
    }
}
