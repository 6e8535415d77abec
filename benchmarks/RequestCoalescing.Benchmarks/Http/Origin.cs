using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Benchmarks.Http;

/// <summary>The server behind all proxies: pages that take 100 milliseconds, private ones, short ones, and a large file.</summary>
internal sealed class Origin : IAsyncDisposable
{
    public const int LargeBytes = 64 * 1024 * 1024;

    private static readonly TimeSpan s_page = TimeSpan.FromMilliseconds(100);
    private static readonly byte[] s_block = new byte[64 * 1024];

    private readonly WebApplication _app;
    private int _requests;

    private Origin(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Urls.First()).Port;

    public static async Task<Origin> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var origin = new Origin(builder.Build());
        origin._app.Run(origin.AnswerAsync);
        await origin._app.StartAsync();
        return origin;
    }

    /// <summary>Returns the number of requests since the last time.</summary>
    public int TakeCount() => Interlocked.Exchange(ref _requests, 0);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        var path = context.Request.Path.Value!;
        if (path.StartsWith("/large", StringComparison.Ordinal))
        {
            context.Response.ContentLength = LargeBytes;
            for (var sent = 0; sent < LargeBytes; sent += s_block.Length) await context.Response.Body.WriteAsync(s_block, context.RequestAborted);
            return;
        }

        if (!path.StartsWith("/short", StringComparison.Ordinal)) await Task.Delay(s_page);
        context.Response.Headers.CacheControl = path.StartsWith("/private", StringComparison.Ordinal) ? "private" : "max-age=1";
        context.Response.ContentLength = 4;
        await context.Response.Body.WriteAsync("page"u8.ToArray());
    }
}
