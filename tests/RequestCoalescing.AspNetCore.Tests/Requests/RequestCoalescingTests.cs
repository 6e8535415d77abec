using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Callers of an endpoint share its run: its response, its errors, and its end.</summary>
public sealed class RequestCoalescingTests
{
    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    [InlineData(HttpProtocols.Http3)]
    public async Task Equal_requests_share_one_run(HttpProtocols protocol)
    {
        await using var app = await App.StartAsync(protocol: protocol);
        var requests = await app.GetTogetherAsync(10);
        await (await app.NextRunAsync()).RespondAsync("hello", 200, ("X-Kind", "greeting"), ("Content-Type", "text/plain"));
        var responses = await Task.WhenAll(requests).SoonAsync();
        foreach (var response in responses)
        {
            Assert.Equal(("hello", "greeting", "text/plain"), (await response.Content.ReadAsStringAsync(), response.Headers.GetValues("X-Kind").Single(), response.Content.Headers.ContentType?.MediaType));
        }

        Assert.Equal(9, responses.Count(static response => response.Headers.TryGetValues("Cache-Status", out var values) && values.Single() == "\"requests\"; fwd=miss; collapsed"));
        Assert.Equal(1, app.Flights.GetStats().Flights);
    }

    [Fact]
    public async Task An_endpoint_that_has_not_opted_in_runs_for_each_caller()
    {
        var gate = new CountdownEvent(2);
        await using var app = await App.StartAsync(pipeline: app =>
        {
            app.UseRequestCoalescing();
            app.MapGet("/plain", () => gate.Signal());
            app.MapGroup("/group").WithRequestCoalescing().MapGet("/plain", () => gate.Signal()).DisableRequestCoalescing();
        });
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/plain")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/group/plain")).StatusCode);
        Assert.True(gate.IsSet);
        Assert.Equal(0, app.Flights.GetStats().Flights);
    }

    // dotnet/aspnetcore#52310: there, the second caller gets an empty response.
    [Fact]
    public async Task The_leader_leaves_before_the_response_and_the_others_get_it()
    {
        await using var app = await App.StartAsync();
        using var leaving = new CancellationTokenSource();
        var leader = app.SendAsync(HttpMethod.Get, "/stage", leaving.Token);
        var run = await app.NextRunAsync();
        var others = new[] { app.GetAsync(), app.GetAsync() };
        await app.Flights.UntilSubscribersAsync(3);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        await app.Flights.UntilSubscribersAsync(2);
        await run.RespondAsync("whole");
        foreach (var other in others) Assert.Equal("whole", await (await other.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal(1, app.Flights.GetStats().Flights);
    }

    // dotnet/aspnetcore#66877: there, a caller that leaves within the body leaves a truncated response for others.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_leader_leaves_within_the_body_and_the_others_get_all_of_it(bool compresses)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddResponseCompression(),
            pipeline: app =>
            {
                app.UseRequestCoalescing();
                if (compresses) app.UseResponseCompression(); // once for all callers
            });
        var leader = app.GetAsync("/stage", ("Accept-Encoding", "gzip"));
        var run = await app.NextRunAsync();
        var other = app.GetAsync("/stage", ("Accept-Encoding", "gzip"));
        await app.Flights.UntilSubscribersAsync(2);
        await run.BeginAsync(200, ("Content-Type", "text/plain"));
        await run.WriteAsync(new string('a', 50_000));
        (await leader.SoonAsync()).Dispose();
        await run.WriteAsync(new string('b', 50_000));
        run.End();
        var response = await other.SoonAsync();
        await using var body = compresses ? new System.IO.Compression.GZipStream(await response.Content.ReadAsStreamAsync(), System.IO.Compression.CompressionMode.Decompress) : await response.Content.ReadAsStreamAsync();
        var text = await new StreamReader(body).ReadToEndAsync().SoonAsync();
        Assert.Equal((100_000, 50_000), (text.Length, text.Count(static letter => letter == 'b')));
        Assert.Equal(compresses, response.Content.Headers.ContentEncoding.Contains("gzip"));
    }

    // dotnet/aspnetcore#67763: there, all keys that cannot be written count as one.
    [Theory]
    [InlineData("?a=%1E", "?b=%1E")]
    [InlineData("?a=1%1Eb=2", "?a=1&b=2")]
    [InlineData("?a=%0A", "?a=%0a")]
    [InlineData("?a=%2561", "?a=%61")]
    [InlineData("/%2Fx", "//x")]
    [InlineData("/a%2Fb", "/a/b")]
    [InlineData("/A", "/a")]
    [InlineData("?", "")]
    public async Task Requests_with_different_targets_never_share(string one, string other)
    {
        await using var app = await App.StartAsync();
        var (first, second) = (app.GetAsync("/stage" + one), app.GetAsync("/stage" + other));
        var runs = new[] { await app.NextRunAsync(), await app.NextRunAsync() };
        foreach (var run in runs) await run.RespondAsync(run.Target);
        Assert.NotEqual(one == "?" ? "?" : await (await first.SoonAsync()).Content.ReadAsStringAsync(), await (await second.SoonAsync()).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task All_callers_leave_and_the_endpoint_is_told()
    {
        await using var app = await App.StartAsync();
        using var leaving = new CancellationTokenSource();
        var (first, second) = (app.SendAsync(HttpMethod.Get, "/stage", leaving.Token), app.SendAsync(HttpMethod.Get, "/stage", leaving.Token));
        var run = await app.NextRunAsync();
        await app.Flights.UntilSubscribersAsync(2);
        Assert.False(run.Aborted.IsCompleted);
        await leaving.CancelAsync();
        await run.Aborted.SoonAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(first, second));
        run.End();
    }

    [Fact]
    public async Task All_callers_leave_within_the_body_and_the_endpoint_is_told()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        foreach (var request in requests) (await request.SoonAsync()).Dispose();
        while (!run.Aborted.IsCompleted) await run.WriteAsync(new byte[1000]); // a server notices that a client has left when it writes
        run.End();
    }

    [Fact]
    public async Task An_endpoint_that_ends_is_not_told_that_callers_have_left()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        var ended = new TaskCompletionSource();
        run.Context.Response.OnCompleted(() => ended.Task);
        await run.RespondAsync("all");
        foreach (var request in requests) Assert.Equal("all", await (await request.SoonAsync()).Content.ReadAsStringAsync());
        Assert.False(run.Aborted.IsCompleted);
        ended.SetResult();
    }

    [Fact]
    public async Task The_body_reaches_callers_while_the_endpoint_writes_it()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("first");
        var bodies = new List<Stream>();
        foreach (var request in requests)
        {
            bodies.Add(await (await request.SoonAsync()).Content.ReadAsStreamAsync());
            await bodies[^1].ReadExactlyAsync(new byte[5]).AsTask().SoonAsync();
        }

        var late = await app.GetAsync().SoonAsync(); // its beginning is still there
        await run.WriteAsync("last");
        run.End();
        Assert.Equal("firstlast", await late.Content.ReadAsStringAsync().SoonAsync());
        foreach (var body in bodies) Assert.Equal("last", await new StreamReader(body).ReadToEndAsync().SoonAsync());
    }

    [Fact]
    public async Task An_endpoint_that_fails_fails_once_for_all_callers()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseExceptionHandler(static failure => failure.Run(static context => context.Response.WriteAsync("sorry")));
            app.UseRequestCoalescing();
            app.MapGet("/fails", static async (HttpContext context) =>
            {
                await context.RequestServices.GetRequiredService<TaskCompletionSource>().Task;
                throw new InvalidOperationException();
            }).WithRequestCoalescing();
        }, services: static services => services.AddSingleton(new TaskCompletionSource()));
        var requests = await app.GetTogetherAsync(3, "/fails");
        app.Services.GetRequiredService<TaskCompletionSource>().SetResult();
        foreach (var request in requests)
        {
            var response = await request.SoonAsync();
            Assert.Equal((HttpStatusCode.InternalServerError, "sorry"), (response.StatusCode, await response.Content.ReadAsStringAsync()));
        }

        Assert.Equal(1, app.Flights.GetStats().Flights);
    }

    [Theory]
    [InlineData(false, HttpProtocols.Http1)]
    [InlineData(true, HttpProtocols.Http1)]
    [InlineData(false, HttpProtocols.Http2)]
    [InlineData(true, HttpProtocols.Http2)]
    [InlineData(false, HttpProtocols.Http3)]
    [InlineData(true, HttpProtocols.Http3)]
    public async Task A_body_that_breaks_off_never_looks_whole(bool aborts, HttpProtocols protocol)
    {
        await using var app = await App.StartAsync(
            protocol: protocol,
            pipeline: app =>
            {
                app.UseRequestCoalescing();
                if (!aborts)
                {
                    app.Use(static async (context, next) =>
                    {
                        await next(context);
                        throw new InvalidOperationException();
                    });
                }
            });
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("half");
        foreach (var request in requests) await request.SoonAsync();
        if (aborts) run.Abort();
        else run.End();
        foreach (var request in requests) await Assert.ThrowsAnyAsync<Exception>(async () => await (await request).Content.ReadAsStringAsync().SoonAsync());
    }

    [Fact]
    public async Task A_body_that_is_shorter_than_announced_breaks_off()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(2);
        await (await app.NextRunAsync()).RespondAsync("half", 200, ("Content-Length", "8"));
        foreach (var request in requests) await Assert.ThrowsAnyAsync<Exception>(async () => await (await request.SoonAsync()).Content.ReadAsStringAsync().SoonAsync());
    }

    [Fact]
    public async Task An_endpoint_that_hangs_until_MaxDuration_is_a_timeout_for_all_callers()
    {
        var clock = new FakeTimeProvider();
        await using var app = await App.StartAsync(
            services: services =>
            {
                services.AddSingleflight("requests", options => (options.MaxDuration, options.TimeProvider) = (TimeSpan.FromSeconds(5), clock));
                services.AddSingleflightExceptionHandler();
            },
            pipeline: static app =>
            {
                app.UseExceptionHandler();
                app.UseRequestCoalescing();
            });
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        foreach (var request in requests) Assert.Equal(HttpStatusCode.GatewayTimeout, (await request.SoonAsync()).StatusCode);
        await run.Aborted.SoonAsync();
        run.End();
    }

    [Fact]
    public async Task A_response_that_is_for_one_caller_is_not_shared()
    {
        await using var app = await App.StartAsync();
        var requests = await app.GetTogetherAsync(3);
        await (await app.NextRunAsync()).RespondAsync("nobody's", 200, ("Set-Cookie", "session=0")); // made without what is a caller's own
        for (var caller = 1; caller <= 3; caller++) await (await app.NextRunAsync()).RespondAsync($"{caller}", 200, ("Set-Cookie", $"session={caller}"));
        var responses = await Task.WhenAll(requests).SoonAsync();
        Assert.Equal(3, responses.Select(static response => response.Headers.GetValues("Set-Cookie").Single()).Distinct().Count());

        var next = app.GetAsync(); // waits for nobody
        await (await app.NextRunAsync()).RespondAsync("alone");
        Assert.Equal("alone", await (await next.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal(1, app.Flights.GetStats().Flights);
    }

    [Theory]
    [InlineData("Range", "bytes=0-1")]
    [InlineData("Authorization", "Bearer 1")]
    [InlineData("Cookie", "a=1")]
    [InlineData("Cache-Control", "no-cache")]
    public async Task Some_requests_run_alone_and_the_endpoint_sees_all_of_them(string name, string value)
    {
        await using var app = await App.StartAsync();
        var (first, second) = (app.GetAsync("/stage", (name, value)), app.GetAsync("/stage", (name, value)));
        for (var request = 0; request < 2; request++)
        {
            var run = await app.NextRunAsync();
            Assert.Equal(value, run.Headers[name]);
            await run.RespondAsync("own");
        }

        await Task.WhenAll(first, second).SoonAsync();
        Assert.Equal(0, app.Flights.GetStats().Flights);
    }

    [Fact]
    public async Task Requests_with_content_run_alone()
    {
        await using var app = await App.StartAsync();
        var post = app.SendAsync(HttpMethod.Post, "/stage", default);
        await (await app.NextRunAsync()).RespondAsync("posted");
        await post.SoonAsync();
        var get = app.Client.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/stage") { Content = new StringContent("content") });
        await (await app.NextRunAsync()).RespondAsync("read");
        await get.SoonAsync();
        Assert.Equal(0, app.Flights.GetStats().Flights);
    }

    [Fact]
    public async Task A_caller_that_knows_the_response_gets_304_and_the_others_get_all_of_it()
    {
        await using var app = await App.StartAsync();
        var plain = app.GetAsync();
        var run = await app.NextRunAsync();
        var knowing = app.GetAsync("/stage", ("If-None-Match", "\"1\""));
        var head = app.SendAsync(HttpMethod.Head, "/stage", default);
        await app.Flights.UntilSubscribersAsync(3);
        await run.RespondAsync("all", 200, ("ETag", "\"1\""));
        Assert.Equal("all", await (await plain.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotModified, (await knowing.SoonAsync()).StatusCode);
        Assert.Equal(("", HttpStatusCode.OK), (await (await head.SoonAsync()).Content.ReadAsStringAsync(), (await head).StatusCode));
    }

    [Theory]
    [InlineData(HttpProtocols.Http2)]
    [InlineData(HttpProtocols.Http3)]
    public async Task Trailers_reach_all_callers(HttpProtocols protocol)
    {
        await using var app = await App.StartAsync(protocol: protocol);
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        await run.BeginAsync();
        await run.WriteAsync("body");
        run.Context.Response.AppendTrailer("X-Sum", "42");
        run.End();
        foreach (var request in requests)
        {
            var response = await request.SoonAsync();
            await response.Content.ReadAsStringAsync();
            Assert.Equal("42", response.TrailingHeaders.GetValues("X-Sum").Single());
        }
    }
}
