using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Http.Tests;

/// <summary>An origin that sends interim responses (RFC 9110, 15.2) before the final one.</summary>
public sealed class InterimTests : HandlerFixture
{
    [Theory]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nCache-Control: no-store\r\n\r\n")]
    [InlineData("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nVary: *\r\n\r\n")]
    public async Task An_interim_response_is_no_response_and_its_headers_decide_nothing(string interim)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var calls = Enumerable.Range(0, 2).Select(_ => GetAsync($"http://{listener.LocalEndpoint}/")).ToArray();
        using var connection = await listener.AcceptTcpClientAsync();
        await Flights.UntilSubscribersAsync(2);
        var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{interim}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npost"));
        foreach (var call in calls)
        {
            using var response = await call.SoonAsync();
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.False(response.Headers.Contains("Link"));
            Assert.Equal(4, response.Content.Headers.ContentLength);
            Assert.Equal("post", await response.Content.ReadAsStringAsync().SoonAsync());
        }

        Assert.False(listener.Pending()); // no second request
        await AllIsFreeAsync();
    }
}
