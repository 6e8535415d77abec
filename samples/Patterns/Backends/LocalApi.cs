using Microsoft.AspNetCore.RateLimiting;

namespace Patterns.Backends;

/// <summary>An HTTP API on a free port of this machine. It counts the requests that reach it, those that it rejects included.</summary>
internal sealed class LocalApi : IAsyncDisposable
{
    private const string Limit = "hourly";

    private readonly WebApplication _app;
    private int _requests;

    private LocalApi(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Each request that is not rejected waits for this before it is answered.</summary>
    public Func<Task> BeforeAnswer { get; set; } = static () => Task.CompletedTask;

    /// <summary>Starts an API that answers every path, and rejects what exceeds the limit with status 429.</summary>
    public static async Task<LocalApi> StartAsync(int requestsPerHour, Func<IResult> answer, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddRateLimiter(options =>
        {
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            options.AddFixedWindowLimiter(Limit, limiter => (limiter.PermitLimit, limiter.Window) = (requestsPerHour, TimeSpan.FromHours(1)));
        });

        var api = new LocalApi(builder.Build());
        api._app.Use(next => context =>
        {
            Interlocked.Increment(ref api._requests);
            return next(context);
        });
        api._app.UseRateLimiter();
        api._app.MapGet("/{**path}", async (CancellationToken aborted) =>
        {
            await api.BeforeAnswer().WaitAsync(aborted);
            return answer();
        }).RequireRateLimiting(Limit);
        try
        {
            await api._app.StartAsync(cancellationToken);
            return api;
        }
        catch
        {
            await api.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
