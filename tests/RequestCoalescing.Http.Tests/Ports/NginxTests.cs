namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>The lessons of nginx's tests of its cache lock, and of what goes past it.</summary>
public sealed class NginxTests() : HandlerFixture
{
    // proxy_cache_lock: parallel requests. nginx keeps the response for the next request, and this is no cache.
    [Fact]
    public async Task Parallel_requests_are_one_and_a_later_one_is_another()
    {
        var calls = Enumerable.Range(0, 5).Select(_ => GetAsync("/par1")).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(5);
        await exchange.RespondAsync("request 1");
        Assert.All(await Task.WhenAll(calls.Select(TextOf)).SoonAsync(), static text => Assert.Equal("request 1", text));
        await AllIsFreeAsync();

        var next = GetAsync("/par1");
        await (await Origin.NextAsync()).RespondAsync("request 2");
        Assert.Equal("request 2", await TextOf(next));
    }

    // proxy_cache_lock: timeout. nginx lets the requests that have waited go on their own. Here the one timeout is a failure for all, so that a slow origin gets no
    // burst.
    [Fact]
    public async Task If_the_origin_is_too_slow_all_that_wait_fail_and_the_next_one_starts_again()
    {
        Use(static _ => { }, static limits => limits.MaxDuration = TimeSpan.FromSeconds(10));
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync("/timeout")).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        Clock.Advance(TimeSpan.FromSeconds(10));
        foreach (var call in calls) await call.ThrowsAsync<FlightTimeoutException>();
        await exchange.Aborted.SoonAsync();
        exchange.End();
        Assert.Equal(1, Origin.Requests);

        var next = GetAsync("/timeout");
        await (await Origin.NextAsync()).RespondAsync("request 2");
        Assert.Equal("request 2", await TextOf(next));
    }

    // proxy_cache_lock: no lock
    [Fact]
    public async Task Requests_that_the_application_excludes_do_not_wait()
    {
        Use(static options => options.ShouldCoalesce = static request => request.RequestUri!.AbsolutePath != "/nolock");
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync("/nolock")).ToArray();
        var exchanges = new[] { await Origin.NextAsync(), await Origin.NextAsync(), await Origin.NextAsync() };
        for (var i = 0; i < 3; i++) await exchanges[i].RespondAsync($"request {i + 1}");
        Assert.Equal(["request 1", "request 2", "request 3"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
    }

    // proxy_cache_lock_age. In nginx the last response to arrive is kept. Here the newer request stays the one that can be joined.
    [Fact]
    public async Task A_request_that_comes_late_starts_anew_and_the_older_one_does_not_replace_it()
    {
        var (old, first, current, second) = await StartTwoThatDoNotShareAsync();
        await second.BeginAsync();
        await second.WriteAsync("request ");
        using var newer = await current.SoonAsync();
        await first.RespondAsync("request 1");
        Assert.Equal("request 1", await TextOf(old));

        using var late = await GetAsync().SoonAsync(); // joins the newer one within its body
        await second.WriteAsync("2");
        second.End();
        Assert.Equal("request 2", await late.Content.ReadAsStringAsync().SoonAsync());
        Assert.Equal("request 2", await newer.Content.ReadAsStringAsync().SoonAsync());
        Assert.Equal(2, Origin.Requests);
    }

    // proxy_cache_lock_ssi
    [Fact]
    public async Task A_page_gets_its_other_parts_while_one_part_waits_for_the_request_of_another_page()
    {
        var locked = GetAsync("/locked");
        var slow = await Origin.NextAsync();
        var parts = new[] { GetAsync("/active"), GetAsync("/locked") };
        await (await Origin.NextAsync()).RespondAsync("active");
        Assert.Equal("active", await TextOf(parts[0]));
        await Flights.UntilSubscribersAsync(2);
        await slow.RespondAsync("locked");
        Assert.Equal(["locked", "locked"], await Task.WhenAll(TextOf(locked), TextOf(parts[1])).SoonAsync());
        Assert.Equal(2, Origin.Requests);
    }

    // proxy_cache_convert_head. nginx turns every HEAD request into a GET request. Here a HEAD request that leads stays one.
    [Fact]
    public async Task A_lone_HEAD_request_is_sent_as_such()
    {
        var head = SendAsync(HttpMethod.Head, "/", default);
        var exchange = await Origin.NextAsync();
        Assert.Equal("HEAD", exchange.Context.Request.Method);
        await exchange.RespondAsync("");
        Assert.Equal("", await TextOf(head));
    }

    [Fact]
    public async Task A_HEAD_request_is_sent_as_such_if_the_GET_request_has_been_forgotten()
    {
        var get = GetAsync();
        var first = await Origin.NextAsync();
        Flights.Clear();
        var head = SendAsync(HttpMethod.Head, "/", default);
        var second = await Origin.NextAsync();
        Assert.Equal("HEAD", second.Context.Request.Method);
        await first.RespondAsync("post");
        await second.RespondAsync("");
        await Task.WhenAll(TextOf(get), TextOf(head)).SoonAsync();
    }

    [Fact]
    public async Task A_HEAD_request_is_sent_as_such_if_the_body_of_the_GET_request_can_no_longer_be_joined()
    {
        var get = GetAsync();
        var first = await Origin.NextAsync();
        await first.BeginAsync();
        using var response = await get.SoonAsync();
        var body = await response.Content.ReadAsStreamAsync();
        for (var i = 0; i < 4; i++)
        {
            await first.WriteAsync("some");
            await body.ReadExactlyAsync(new byte[4]).AsTask().SoonAsync();
            Clock.Advance(TimeSpan.FromSeconds(10));
        }

        var head = SendAsync(HttpMethod.Head, "/", default);
        var second = await Origin.NextAsync();
        Assert.Equal("HEAD", second.Context.Request.Method);
        await second.RespondAsync("");
        first.End();
        await TextOf(head);
    }

    [Fact]
    public async Task A_HEAD_request_rides_on_the_newer_of_two_GET_requests()
    {
        var (old, first, current, second) = await StartTwoThatDoNotShareAsync();
        await first.RespondAsync("request 1");
        Assert.Equal("request 1", await TextOf(old));
        var head = SendAsync(HttpMethod.Head, "/", default);
        await Flights.UntilSubscribersAsync(2);
        var flights = Flights.GetStats().InFlightCount;
        await second.RespondAsync("request 2");
        if (flights == 2) await (await Origin.NextAsync()).RespondAsync("");
        await Task.WhenAll(TextOf(current), TextOf(head)).SoonAsync();
        Assert.Equal(1, flights);
    }

    // proxy_cache_error
    [Fact]
    public async Task A_HEAD_request_that_rides_on_a_GET_request_has_its_response_though_the_body_breaks_off()
    {
        var get = GetAsync("/big.html");
        var exchange = await Origin.NextAsync();
        var head = SendAsync(HttpMethod.Head, "/big.html", default);
        await Flights.UntilSubscribersAsync(2);
        await exchange.BeginAsync(200, ("Content-Length", "1000"));
        await exchange.WriteAsync("some");
        using var body = await get.SoonAsync();
        exchange.Abort();
        using var headers = await head.SoonAsync();
        Assert.Equal((200, 1000L, ""), ((int)headers.StatusCode, headers.Content.Headers.ContentLength, await headers.Content.ReadAsStringAsync().SoonAsync()));
        await body.Content.ReadAsByteArrayAsync().ThrowsAsync<HttpRequestException>();
    }

    // proxy_cache_range. nginx fetches the whole, and cuts the range out of it. Here a range goes alone.
    [Fact]
    public async Task A_range_goes_to_the_origin_though_the_whole_is_in_the_air()
    {
        var whole = GetAsync("/t.html");
        var first = await Origin.NextAsync();
        var range = GetAsync("/t.html", ("Range", "bytes=4-"));
        var second = await Origin.NextAsync();
        Assert.Equal("bytes=4-", second.Headers["Range"]);
        await second.RespondAsync("THIS", 206, ("Content-Range", "bytes 4-7/8"));
        Assert.Equal("THIS", await TextOf(range));
        await first.RespondAsync("SEE-THIS");
        Assert.Equal("SEE-THIS", await TextOf(whole));
    }

    // proxy_cache_bypass
    [Fact]
    public async Task A_request_that_wants_its_own_answer_takes_the_flight_from_nobody()
    {
        var first = GetAsync("/t");
        var exchange = await Origin.NextAsync();
        var bypass = GetAsync("/t", ("Cache-Control", "no-cache"));
        await (await Origin.NextAsync()).RespondAsync("NOOP");
        Assert.Equal("NOOP", await TextOf(bypass));
        var second = GetAsync("/t");
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("SEE-THIS");
        Assert.Equal(["SEE-THIS", "SEE-THIS"], await Task.WhenAll(TextOf(first), TextOf(second)).SoonAsync());
    }

    // proxy_cache_vary: a list with empty elements, and several lines
    [Theory]
    [InlineData(",, X-foo , ,")]
    [InlineData("X-Other", "X-Foo")]
    public async Task Every_name_in_Vary_counts(params string[] lines)
    {
        Use(static options => options.IgnoredHeaders.UnionWith(["X-Foo", "X-Other"]));
        (string, string)[] vary = [.. lines.Select(static line => ("Vary", line))];
        var calls = new[] { GetAsync("/multi"), GetAsync("/multi", ("X-Foo", "bar")) };
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await first.RespondAsync("none", 200, vary);
        var second = await Origin.NextAsync();
        Assert.Equal("bar", second.Headers["X-Foo"]);
        await second.RespondAsync("bar", 200, vary);
        Assert.Equal(["none", "bar"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
    }

    // proxy_cache_control: Set-Cookie with an explicit lifetime, and directives on several lines
    [Theory]
    [InlineData(false, "Cache-Control: max-age=300", "Set-Cookie: a=b")]
    [InlineData(false, "Cache-Control: max-age=300", "Cache-Control: no-store")]
    [InlineData(true, "Cache-Control: max-age=300", "Cache-Control: no-cache")] // nginx does not keep it; here a later request asks the origin anyway
    public async Task Every_header_counts_for_the_decision(bool isShared, params string[] lines)
    {
        (string, string)[] headers = [.. lines.Select(static line => (line[..line.IndexOf(':', StringComparison.Ordinal)], line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..]))];
        Assert.Equal(isShared, await AreSharedAsync(headers));
    }

    // proxy_cache_control: overflow
    [Fact]
    public async Task A_lifetime_that_is_too_long_for_a_number_is_a_long_one() => Assert.True(await AreSharedAsync(("Cache-Control", "max-age=99999999999")));

    private async Task<bool> AreSharedAsync(params (string, string)[] headers)
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        Origin.Answer = static async context => await context.Response.Body.WriteAsync("request 2"u8.ToArray());
        await exchange.RespondAsync("request 1", 200, headers);
        return (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).All(static text => text == "request 1");
    }

    // The second request comes after the join window of the first one.
    private async Task<(Task<HttpResponseMessage> Old, Exchange First, Task<HttpResponseMessage> Current, Exchange Second)> StartTwoThatDoNotShareAsync()
    {
        Use(static _ => { }, static limits => limits.JoinWindow = TimeSpan.FromSeconds(1));
        var old = GetAsync();
        var first = await Origin.NextAsync();
        Clock.Advance(TimeSpan.FromSeconds(2));
        var current = GetAsync();
        return (old, first, current, await Origin.NextAsync());
    }
}
