namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>The lessons of the tests of undici's deduplicate interceptor.</summary>
public sealed class UndiciTests() : HandlerFixture
{
    private const int Buffer = 256 * 1024;

    // Same resource, same or different headers, paths, Authorization, Cookie, excluded headers, and a key that contains delimiters.
    [Theory]
    [InlineData(true, "/", "", "")]
    [InlineData(false, "/other", "", "")]
    [InlineData(true, "/", "accept: a/b", "accept: a/b")]
    [InlineData(false, "/", "accept: a/b", "accept: c/d")]
    [InlineData(true, "/", "b: 2 | a: 1", "a: 1 | b: 2")]
    [InlineData(false, "/", "a: x:b=y", "a: x | b: y")]
    [InlineData(false, "/", "Authorization: Bearer 1", "Authorization: Bearer 2")]
    [InlineData(true, "/", "Authorization: Bearer 1", "Authorization: Bearer 1")]
    [InlineData(false, "/", "Cookie: session=1", "Cookie: session=2")]
    [InlineData(true, "/", "x-excluded: 1 | X-Also: 1", "X-EXCLUDED: 2 | x-also: 2")]
    [InlineData(false, "/", "X-Excluded: 1 | accept: a/b", "X-Excluded: 2 | accept: c/d")]
    public async Task Two_requests_are_one_exactly_if_nothing_tells_them_apart(bool isShared, string path, string one, string other)
    {
        Use(static options =>
        {
            (options.AllowAuthorization, options.AllowCookies) = (true, true);
            options.IgnoredHeaders.UnionWith(["X-Excluded", "X-Also"]);
        });
        var first = GetAsync("/", Headers(one));
        var exchange = await Origin.NextAsync();
        var second = GetAsync(path, Headers(other));
        if (isShared) await Flights.UntilSubscribersAsync(2);
        else await (await Origin.NextAsync()).RespondAsync("second");
        await exchange.RespondAsync("first");
        Assert.Equal(("first", isShared ? "first" : "second"), (await TextOf(first), await TextOf(second)));
    }

    // skipHeaderNames. Here a predicate chooses.
    [Theory]
    [InlineData(true, "")]
    [InlineData(true, "X-Other: 1")]
    [InlineData(false, "X-Skip: 1")]
    [InlineData(false, "x-sKIP: 1")]
    public async Task The_application_excludes_requests_by_a_header(bool isShared, string headers)
    {
        Use(static options => options.ShouldCoalesce = static request => !request.Headers.Contains("X-Skip"));
        var calls = new[] { GetAsync("/", Headers(headers)), GetAsync("/", Headers(headers)) };
        var exchange = await Origin.NextAsync();
        if (isShared) await Flights.UntilSubscribersAsync(2);
        else await (await Origin.NextAsync()).RespondAsync("post");
        await exchange.RespondAsync("post");
        await Task.WhenAll(calls.Select(TextOf)).SoonAsync();
        Assert.Equal(isShared ? 1 : 2, Origin.Requests);
    }

    // undici shares a response with no-store. Here it is for the one that asked, because a handler cannot know why the origin said so.
    [Fact]
    public async Task A_response_with_no_store_is_not_shared()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("one", 200, ("Cache-Control", "no-store"));
        await (await Origin.NextAsync()).RespondAsync("other", 200, ("Cache-Control", "no-store"));
        Assert.Equal(["one", "other"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Each_burst_is_one_request()
    {
        for (var burst = 1; burst <= 3; burst++)
        {
            var calls = new[] { GetAsync(), GetAsync() };
            var exchange = await Origin.NextAsync();
            await Flights.UntilSubscribersAsync(2);
            await exchange.RespondAsync("post");
            await Task.WhenAll(calls.Select(TextOf)).SoonAsync();
            await AllIsFreeAsync();
            Assert.Equal(burst, Origin.Requests);
        }
    }

    // undici shares every 201. Here the origin must say that it can be stored.
    [Theory]
    [InlineData(null)]
    [InlineData("max-age=5")]
    public async Task Each_caller_has_the_status_and_the_headers(string? control)
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        (string, string)[] headers = control is null ? [("x-custom-header", "value")] : [("x-custom-header", "value"), ("Cache-Control", control)];
        await exchange.RespondAsync("post", 201, headers);
        if (control is null) await (await Origin.NextAsync()).RespondAsync("post", 201, headers);
        foreach (var response in await Task.WhenAll(calls).SoonAsync())
        {
            Assert.Equal((201, "value", "Created"), ((int)response.StatusCode, response.Headers.GetValues("x-custom-header").Single(), response.ReasonPhrase));
            Assert.Equal("post", await response.Content.ReadAsStringAsync().SoonAsync());
        }
    }

    // undici sends another request once the body has begun. Here the beginning is still in memory, and the request joins.
    [Fact]
    public async Task A_request_that_comes_after_the_body_has_begun_joins()
    {
        using var first = await StartAsync("chunk-1");
        await (await first.Response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[7]).AsTask().SoonAsync();
        var second = GetAsync();
        using var response = await second.SoonAsync();
        await first.Exchange.WriteAsync("chunk-2");
        first.Exchange.End();
        Assert.Equal("chunk-1chunk-2", await response.Content.ReadAsStringAsync().SoonAsync());
        Assert.Equal(1, Origin.Requests);
    }

    // maxBufferSize
    [Fact]
    public async Task A_follower_that_does_not_read_fails_when_the_buffer_is_full_and_the_other_reads_the_whole()
    {
        Use(static options => options.MaxBufferedBytes = Buffer);
        using var first = await StartAsync("");
        using var paused = await GetAsync().SoonAsync();
        var writing = WriteAsync();
        Assert.Equal(4 * Buffer, (await first.Response.Content.ReadAsByteArrayAsync().SoonAsync()).Length);
        await writing.SoonAsync();
        var error = await paused.Content.ReadAsByteArrayAsync().ThrowsAsync<HttpRequestException>();
        Assert.IsType<SharedBodyLagException>(error.InnerException);
        Assert.Equal(1, Origin.Requests);

        async Task WriteAsync()
        {
            for (var i = 0; i < 64; i++) await first.Exchange.WriteAsync(new byte[Buffer / 16]);
            first.Exchange.End();
        }
    }

    [Fact]
    public async Task A_follower_that_leaves_is_settled_at_once_and_the_leader_is_unaffected()
    {
        using var leaving = new CancellationTokenSource();
        var leader = GetAsync();
        var exchange = await Origin.NextAsync();
        var follower = SendAsync(HttpMethod.Get, "/", leaving.Token);
        await Flights.UntilSubscribersAsync(2);
        await leaving.CancelAsync();
        await follower.ThrowsAsync<OperationCanceledException>();
        await SendAsync(HttpMethod.Get, "/", leaving.Token).ThrowsAsync<OperationCanceledException>(); // it has left before it came
        await exchange.RespondAsync("response-body");
        Assert.Equal("response-body", await TextOf(leader));
        Assert.Equal(1, Origin.Requests);
    }

    [Fact]
    public async Task An_error_reaches_all_and_nothing_stays_behind()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        exchange.Abort();
        foreach (var call in calls) await call.ThrowsAsync<HttpRequestException>();
        await AllIsFreeAsync();

        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("post");
        Assert.Equal("post", await TextOf(next));
    }

    private static (string, string)[] Headers(string lines) =>
        [.. lines.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(':', 2)).Select(static parts => (parts[0].Trim(), parts[1].Trim()))];

    private async Task<Started> StartAsync(string beginning)
    {
        var call = GetAsync();
        var exchange = await Origin.NextAsync();
        await exchange.BeginAsync();
        await exchange.WriteAsync(beginning);
        return new Started(exchange, await call.SoonAsync());
    }

    private sealed record Started(Exchange Exchange, HttpResponseMessage Response) : IDisposable
    {
        public void Dispose() => Response.Dispose();
    }
}
