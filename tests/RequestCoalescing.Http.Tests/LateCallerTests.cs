using System.Collections.Concurrent;

namespace RequestCoalescing.Http.Tests;

/// <summary>A caller that comes while a body arrives joins it. One that comes when another caller may have all of it does not: it was complete before the call.</summary>
public sealed class LateCallerTests : HandlerFixture
{
    private readonly ConcurrentQueue<ScriptedStream> _bodies = [];

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task A_body_of_a_known_length_that_has_been_read_is_not_joined_even_if_the_origin_has_not_ended(string method)
    {
        AnswerWithALengthOf(10);
        using var first = await GetAsync().SoonAsync();
        using (var joining = await SendAsync(new HttpMethod(method), "/", default).SoonAsync()) Assert.Single(_bodies);
        _bodies.Single().Add(10);
        var body = await first.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[10]).AsTask().SoonAsync();

        using var second = await SendAsync(new HttpMethod(method), "/", default).SoonAsync();
        Assert.Equal(2, _bodies.Count);
    }

    [Fact]
    public async Task A_body_whose_announced_length_is_0_is_not_joined()
    {
        AnswerWithALengthOf(0);
        using var first = await GetAsync().SoonAsync();
        using var second = await GetAsync().SoonAsync();
        Assert.Equal(2, _bodies.Count);
    }

    [Fact]
    public async Task A_body_of_an_unknown_length_is_joined_until_the_origin_has_ended()
    {
        AnswerWithALengthOf(null);
        using var first = await GetAsync().SoonAsync();
        _bodies.Single().Add(10);
        await (await first.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[10]).AsTask().SoonAsync();
        using var second = await GetAsync().SoonAsync();
        Assert.Single(_bodies);
        _bodies.Single().End(failure: null);
        Assert.Equal(10, (await second.Content.ReadAsByteArrayAsync().SoonAsync()).Length);
        using var third = await GetAsync().SoonAsync();
        Assert.Equal(2, _bodies.Count);
    }

    private void AnswerWithALengthOf(int? length) => Use(static _ => { }, behind: () => new Answering(_ =>
    {
        var body = new ScriptedStream();
        _bodies.Enqueue(body);
        var content = new StreamContent(body);
        content.Headers.ContentLength = length;
        return Task.FromResult(new HttpResponseMessage { Content = content });
    }));
}
