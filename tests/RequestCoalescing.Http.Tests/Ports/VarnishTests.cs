using System.Text;
using Microsoft.AspNetCore.Connections.Features;

namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>The lessons of Varnish's test cases about waiting lists, responses that cannot be shared, and streaming.</summary>
public sealed class VarnishTests() : HandlerFixture
{
    // c00013
    [Fact]
    public async Task A_request_that_comes_while_the_origin_is_slow_gets_the_same_response()
    {
        var first = GetAsync("/foo");
        var exchange = await Origin.NextAsync();
        var second = GetAsync("/foo");
        await Flights.UntilSubscribersAsync(2);
        await exchange.BeginAsync();
        await exchange.WriteAsync("line1\n");
        using var follower = await second.SoonAsync();
        Assert.Contains("collapsed", follower.Headers.GetValues("Cache-Status").Single(), StringComparison.Ordinal);
        await exchange.WriteAsync("line2\n");
        exchange.End();
        Assert.Equal(("line1\nline2\n", "line1\nline2\n"), (await TextOf(first), await follower.Content.ReadAsStringAsync().SoonAsync()));
        Assert.Equal(1, Origin.Requests);
    }

    // c00014
    [Fact]
    public async Task A_request_that_waited_for_a_response_that_cannot_be_shared_gets_its_own_and_the_next_one_does_not_wait()
    {
        var first = GetAsync("/foo");
        var exchange = await Origin.NextAsync();
        var second = GetAsync("/foo");
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("line1\nline2\n", 200, ("Cache-Control", "private"));
        await (await Origin.NextAsync()).RespondAsync("foobar");
        var texts = await Task.WhenAll(TextOf(first), TextOf(second)).SoonAsync();
        Assert.Equal(["line1\nline2\n", "foobar"], texts);

        var next = GetAsync("/foo");
        var alone = await Origin.NextAsync();
        Assert.Equal(0, Flights.GetStats().InFlightCount);
        await alone.RespondAsync("next");
        Assert.Equal("next", await TextOf(next));
    }

    // c00097
    [Fact]
    public async Task All_that_waited_read_the_beginning_before_the_origin_has_sent_the_end()
    {
        var calls = Enumerable.Range(0, 4).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(4);
        await exchange.BeginAsync();
        await exchange.WriteAsync("0123456789");
        var responses = await Task.WhenAll(calls).SoonAsync();
        foreach (var response in responses) await (await response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[10]).AsTask().SoonAsync();
        await exchange.WriteAsync("abcdefghij");
        exchange.End();
        foreach (var response in responses)
        {
            Assert.Equal("abcdefghij", await new StreamReader(await response.Content.ReadAsStreamAsync()).ReadToEndAsync().SoonAsync());
            response.Dispose();
        }

        Assert.Equal(1, Origin.Requests);
        await AllIsFreeAsync();
    }

    // c00098
    [Fact]
    public async Task If_the_response_cannot_be_shared_all_that_waited_are_at_the_origin_before_it_has_ended()
    {
        var calls = Enumerable.Range(0, 6).Select(_ => GetAsync()).ToArray();
        var first = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(6);
        await first.BeginAsync(200, ("Cache-Control", "private"));
        await first.WriteAsync("0123456789");
        var exchanges = new List<Exchange> { first };
        for (var i = 0; i < 5; i++)
        {
            exchanges.Add(await Origin.NextAsync());
            await exchanges[^1].BeginAsync(200, ("Cache-Control", "private"));
            await exchanges[^1].WriteAsync("0123456789");
        }

        foreach (var exchange in exchanges)
        {
            await exchange.WriteAsync("abcdefghij");
            exchange.End();
        }

        Assert.All(await Task.WhenAll(calls.Select(TextOf)).SoonAsync(), static text => Assert.Equal("0123456789abcdefghij", text));
    }

    // c00099. Varnish shares again as soon as a response allows it. Here that takes the NotSharedDuration, because nobody looks at responses of lone requests.
    [Fact]
    public async Task A_response_that_can_be_shared_again_is_noticed_after_a_while()
    {
        foreach (var control in new[] { "private", "public" })
        {
            var apart = new[] { GetAsync(), GetAsync() };
            await (await Origin.NextAsync()).RespondAsync("own", 200, ("Cache-Control", control));
            await (await Origin.NextAsync()).RespondAsync("own", 200, ("Cache-Control", control));
            await Task.WhenAll(apart.Select(TextOf)).SoonAsync();
        }

        Clock.Advance(TimeSpan.FromMinutes(2));
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("shared", 200, ("Cache-Control", "public"));
        Assert.Equal(["shared", "shared"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        Assert.Equal(5, Origin.Requests);
    }

    // c00125
    [Theory]
    [InlineData("max-age=60", "120")]
    [InlineData("no-cache", null)]
    public async Task A_response_that_is_stale_on_arrival_is_for_those_that_waited_and_not_for_the_next(string control, string? age)
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        (string, string)[] headers = age is null ? [("Cache-Control", control)] : [("Cache-Control", control), ("Age", age)];
        await exchange.RespondAsync("stale", 200, headers);
        Assert.Equal(["stale", "stale"], await Task.WhenAll(calls.Select(TextOf)).SoonAsync());
        await AllIsFreeAsync();

        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("new");
        Assert.Equal("new", await TextOf(next));
    }

    // c00131
    [Fact]
    public async Task Garbage_from_the_origin_is_one_failure_for_all_that_waited()
    {
        var calls = Enumerable.Range(0, 5).Select(_ => GetAsync()).ToArray();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(5);
        await exchange.Context.Features.Get<IConnectionTransportFeature>()!.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes("garbage\r\n\r\n"));
        foreach (var call in calls) await call.ThrowsAsync<HttpRequestException>();
        exchange.Abort();
        Assert.Equal(1, Origin.Requests);

        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("post");
        Assert.Equal("post", await TextOf(next));
    }
}
