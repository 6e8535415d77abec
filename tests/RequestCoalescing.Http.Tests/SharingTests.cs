using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RequestCoalescing.Http.Tests;

/// <summary>Equal requests share one, and each caller gets its own response.</summary>
public abstract class SharingTests(HttpProtocols protocol) : HandlerFixture(protocol)
{
    [Fact]
    public async Task Callers_of_a_flight_that_outlives_the_handler_get_its_response()
    {
        await AskAsync(static () => { });
        await AskAsync(Coalescer.Dispose);

        async Task AskAsync(Action meanwhile)
        {
            var calls = new[] { GetAsync("/post"), GetAsync("/post") };
            var exchange = await Origin.NextAsync();
            await Flights.UntilSubscribersAsync(2);
            meanwhile();
            await exchange.RespondAsync("post", 200, ("Vary", "Accept"));
            foreach (var call in calls)
            {
                using var response = await call.SoonAsync();
                Assert.Equal("post", await response.Content.ReadAsStringAsync().SoonAsync());
            }
        }
    }

    [Fact]
    public async Task A_burst_of_equal_requests_is_one_request_at_the_origin()
    {
        var calls = Enumerable.Range(0, 200).Select(_ => GetAsync("/post?id=1")).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(200);
        await exchange.RespondAsync("post", 200, ("ETag", "\"1\""), ("X-Number", "7"));

        var responses = await Task.WhenAll(calls).SoonAsync();
        Assert.All(await Task.WhenAll(responses.Select(response => response.Content.ReadAsStringAsync())).SoonAsync(), text => Assert.Equal("post", text));
        Assert.All(responses, response => Assert.Equal((HttpStatusCode.OK, "\"1\"", "7"), (response.StatusCode, response.Headers.ETag!.Tag, response.Headers.GetValues("X-Number").Single())));
        Assert.Equal(199, responses.Count(response => response.Headers.TryGetValues("Cache-Status", out var status) && status.Single() == "\"http-origin\"; fwd=miss; collapsed"));
        Assert.Equal("/post?id=1", exchange.Target);
        Assert.Equal(200, responses.Select(response => response.RequestMessage).Distinct().Count());
        Assert.Equal(1, Origin.Requests);
        foreach (var response in responses) response.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task Callers_read_the_body_while_it_arrives_and_one_that_comes_later_gets_it_from_the_start()
    {
        var first = GetAsync();
        var exchange = await Origin.NextAsync();
        await exchange.BeginAsync();
        using var one = await first.SoonAsync();
        var oneBody = new StreamReader(await one.Content.ReadAsStreamAsync());
        await exchange.WriteAsync("first\n");
        Assert.Equal("first", await oneBody.ReadLineAsync().SoonAsync());

        using var late = await GetAsync().SoonAsync();
        var lateBody = new StreamReader(await late.Content.ReadAsStreamAsync());
        Assert.Equal("first", await lateBody.ReadLineAsync().SoonAsync());
        await exchange.WriteAsync("second\n");
        Assert.Equal(("second", "second"), (await oneBody.ReadLineAsync().SoonAsync(), await lateBody.ReadLineAsync().SoonAsync()));
        exchange.End();
        Assert.Null(await lateBody.ReadLineAsync().SoonAsync());
        Assert.Null(await oneBody.ReadLineAsync().SoonAsync());
        Assert.Equal(1, Origin.Requests);
        one.Dispose();
        late.Dispose();
        await AllIsFreeAsync();

        var next = GetAsync(); // the response is over; it is not kept
        await (await Origin.NextAsync()).RespondAsync("third");
        Assert.Equal("third", await TextOf(next));
    }

    [Fact]
    public async Task The_leader_leaves_and_the_others_get_the_response()
    {
        var (exchange, follower) = await FollowALeaderThatLeavesAsync();
        await exchange.RespondAsync("post");
        Assert.Equal("post", await TextOf(follower));
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task When_all_callers_have_left_before_the_headers_the_origin_sees_it()
    {
        using var leaving = new CancellationTokenSource();
        var calls = Enumerable.Range(0, 3).Select(_ => SendAsync(HttpMethod.Get, "/", leaving.Token)).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        await leaving.CancelAsync();
        await exchange.Aborted.SoonAsync();
        exchange.End();
        foreach (var call in calls) await call.ThrowsAsync<OperationCanceledException>();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task When_all_readers_have_left_within_the_body_the_origin_sees_it()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        await exchange.BeginAsync();
        var responses = await Task.WhenAll(calls).SoonAsync();
        await exchange.WriteAsync("some");
        foreach (var response in responses)
        {
            Assert.False(exchange.Aborted.IsCompleted);
            response.Dispose();
        }

        await exchange.Aborted.SoonAsync();
        exchange.End();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task An_origin_that_breaks_off_within_the_body_gives_all_readers_an_error_after_the_bytes_before_it()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        await exchange.BeginAsync(200, ("Content-Length", "100"));
        await exchange.WriteAsync("some");
        var responses = await Task.WhenAll(calls).SoonAsync();
        var streams = await Task.WhenAll(responses.Select(response => response.Content.ReadAsStreamAsync())).SoonAsync();
        var read = new byte[4];
        await streams[0].ReadExactlyAsync(read).AsTask().SoonAsync();
        exchange.Abort();
        await Assert.ThrowsAsync<HttpIOException>(() => streams[0].ReadAsync(new byte[9]).AsTask().SoonAsync());
        foreach (var stream in streams[1..])
        {
            await stream.ReadExactlyAsync(read).AsTask().SoonAsync();
            Assert.Equal("some"u8, read);
            await Assert.ThrowsAsync<HttpIOException>(() => stream.ReadAsync(new byte[9]).AsTask().SoonAsync());
        }

        foreach (var response in responses) response.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task An_origin_that_fails_before_the_headers_is_one_failure_for_all()
    {
        var calls = Enumerable.Range(0, 3).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        exchange.Abort();
        foreach (var call in calls) await call.ThrowsAsync<HttpRequestException>();
        Assert.Equal(1, Origin.Requests);
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task An_origin_that_sends_nothing_of_the_body_for_too_long_gives_an_error()
    {
        var call = GetAsync();
        var exchange = await Origin.NextAsync();
        await exchange.BeginAsync();
        await exchange.WriteAsync("some");
        using var response = await call.SoonAsync();
        var stream = await response.Content.ReadAsStreamAsync();
        await stream.ReadExactlyAsync(new byte[4]).AsTask().SoonAsync();
        var next = stream.ReadAsync(new byte[9]).AsTask();
        while (!next.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromSeconds(30)); // as soon as the origin is being read
            await Task.Yield();
        }

        Assert.IsType<TimeoutException>((await next.ThrowsAsync<HttpIOException>()).InnerException);
        await exchange.Aborted.SoonAsync();
        exchange.End();
    }

    [Fact]
    public async Task Bodies_of_every_size_arrive_whole_at_readers_of_every_pace()
    {
        var random = new Random(7);
        foreach (var size in new[] { 0, 1, 4_095, 4_096, 4_097, 36_864, 36_865, 300_000, 3_000_000 })
        {
            var body = new byte[size];
            random.NextBytes(body);
            Origin.Answer = async context =>
            {
                await Task.Yield();
                for (var sent = 0; sent < body.Length; sent += 70_000) await context.Response.Body.WriteAsync(body.AsMemory(sent, Math.Min(70_000, body.Length - sent)));
            };
            await Task.WhenAll(Enumerable.Range(1, 8).Select(async reader =>
            {
                using var response = await GetAsync($"/{size}");
                await using var stream = await response.Content.ReadAsStreamAsync();
                using var read = new MemoryStream();
                var buffer = new byte[reader * 1_009];
                for (int count; (count = await stream.ReadAsync(buffer)) > 0;)
                {
                    read.Write(buffer, 0, count);
                    if (reader % 3 == 0) await Task.Yield();
                }

                Assert.True(body.AsSpan().SequenceEqual(read.ToArray()));
            })).SoonAsync();
        }

        await AllIsFreeAsync();
    }
}

public sealed class SharingOverHttp1Tests() : SharingTests(HttpProtocols.Http1);

public sealed class SharingOverHttp2Tests() : MultiplexedSharingTests(HttpProtocols.Http2);

public sealed class SharingOverHttp3Tests() : MultiplexedSharingTests(HttpProtocols.Http3);

public abstract class MultiplexedSharingTests(HttpProtocols protocol) : SharingTests(protocol)
{
    [Fact]
    public async Task The_trailers_arrive_at_every_reader()
    {
        var calls = Enumerable.Range(0, 2).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        exchange.Context.Response.DeclareTrailer("X-Sum");
        await exchange.BeginAsync();
        await exchange.WriteAsync("post");
        exchange.Context.Response.AppendTrailer("X-Sum", "42");
        exchange.End();
        foreach (var call in calls)
        {
            using var response = await call.SoonAsync();
            Assert.Equal("post", await response.Content.ReadAsStringAsync().SoonAsync());
            Assert.Equal("42", response.TrailingHeaders.GetValues("X-Sum").Single());
        }
    }
}
