using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Http.Tests;

/// <summary>A real server on a port of this machine. A test answers each of its requests.</summary>
public sealed class Origin : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<Exchange> _exchanges = Channel.CreateUnbounded<Exchange>();
    private int _requests;

    private Origin(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    /// <summary>The requests that have arrived.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Answers each request at once. Null to let the test answer, through <see cref="NextAsync"/>.</summary>
    public Func<HttpContext, Task>? Answer { get; set; }

    public static async Task<Origin> StartAsync(HttpProtocols protocol = HttpProtocols.Http1)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().UseQuic().ConfigureKestrel(kestrel => kestrel.Listen(protocol));
        var origin = new Origin(builder.Build());
        origin._app.Run(origin.AnswerAsync);
        await origin._app.StartAsync();
        return origin;
    }

    /// <summary>Waits for the next request.</summary>
    public Task<Exchange> NextAsync() => _exchanges.Reader.ReadAsync().AsTask().SoonAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        if (Answer is { } answer)
        {
            await answer(context);
            return;
        }

        var exchange = new Exchange(context);
        await _exchanges.Writer.WriteAsync(exchange);
        await exchange.Ended;
    }
}
