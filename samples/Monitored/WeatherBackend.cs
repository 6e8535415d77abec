using System.Net;

namespace Monitored;

/// <summary>A service on another port. It answers in 50 ms, until <see cref="Hang"/> is called.</summary>
internal sealed class WeatherBackend : IAsyncDisposable
{
    private readonly WebApplication _app;
    private volatile TaskCompletionSource? _stuck;

    private WeatherBackend()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapGet("/weather/{city}", async (string city) =>
        {
            if (_stuck is { } stuck) await stuck.Task;
            await Task.Delay(50);
            return Results.Json(new { City = city, Celsius = (city.Length * 7 % 30) - 5 });
        });
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<WeatherBackend> StartAsync()
    {
        var backend = new WeatherBackend();
        await backend._app.StartAsync();
        return backend;
    }

    public void Hang() => _stuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Recover() => Interlocked.Exchange(ref _stuck, null)?.SetResult();

    public ValueTask DisposeAsync()
    {
        Recover();
        return _app.DisposeAsync();
    }
}
