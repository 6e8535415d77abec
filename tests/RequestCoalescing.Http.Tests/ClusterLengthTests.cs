namespace RequestCoalescing.Http.Tests;

/// <summary>A response that may cross to other nodes has the headers of the origin, and no others.</summary>
public sealed class ClusterLengthTests
{
    [Fact]
    public async Task A_response_to_HEAD_without_a_length_gets_none()
    {
        await using var flights = new Singleflight();
        await using var cluster = new Singleflight();
        using var coalescer = new HttpCoalescer(flights, new HttpCoalescingOptions(), TimeProvider.System, "http", cluster: cluster);
        using var request = new HttpRequestMessage(HttpMethod.Head, "http://localhost/");
        using var response = await coalescer.SendAsync(
            request,
            origin: null,
            scope: null,
            (_, _) =>
            {
                var body = new ScriptedStream();
                body.End(failure: null);
                return Task.FromResult(new HttpResponseMessage { Content = new StreamContent(body) });
            },
            static () => throw new InvalidOperationException("It is shared."),
            default).SoonAsync();
        Assert.Empty(response!.Content.Headers.NonValidated);
    }
}
