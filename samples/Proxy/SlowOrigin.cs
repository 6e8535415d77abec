using System.Net;

namespace Proxy;

/// <summary>A server that takes 100 milliseconds for a page, and works on 50 pages at once: more would have to wait for a connection to its database.</summary>
internal sealed class SlowOrigin : IAsyncDisposable
{
    private readonly SemaphoreSlim _connections = new(50);
    private readonly WebApplication _app;
    private int _pages;

    private SlowOrigin(WebApplication app)
    {
        _app = app;
        app.MapGet("/page", AnswerAsync);
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<SlowOrigin> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var origin = new SlowOrigin(builder.Build());
        await origin._app.StartAsync();
        return origin;
    }

    /// <summary>Returns how many pages it has made since the last time.</summary>
    public int TakeCount() => Interlocked.Exchange(ref _pages, 0);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _connections.Dispose();
    }

    private async Task<string> AnswerAsync(CancellationToken cancellationToken)
    {
        await _connections.WaitAsync(cancellationToken);
        try
        {
            Interlocked.Increment(ref _pages);
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken); // the database
            return "The page.";
        }
        finally
        {
            _connections.Release();
        }
    }
}
