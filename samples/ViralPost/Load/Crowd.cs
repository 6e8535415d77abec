using System.Diagnostics;
using System.Net.Sockets;

namespace ViralPost.Load;

/// <summary>The users. They send HTTP requests over loopback, each at its own time, whether or not earlier ones have been answered.</summary>
internal sealed class Crowd : IDisposable
{
    private readonly HttpClient _client;
    private readonly SemaphoreSlim _connections;

    public Crowd(Uri address, int concurrency)
    {
        _connections = new SemaphoreSlim(concurrency, concurrency);
        _client = new HttpClient(new SocketsHttpHandler
        {
            MaxConnectionsPerServer = concurrency,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
        })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    /// <summary>Opens the users' connections, so that a run does not measure handshakes.</summary>
    public async Task ConnectAsync(int connections, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(Enumerable.Range(0, connections).Select(async _ =>
            {
                using var response = await _client.GetAsync("/", cancellationToken);
                response.EnsureSuccessStatusCode();
            }));
        }
        catch (HttpRequestException exception) when (exception.InnerException is SocketException or IOException)
        {
            throw new StoryException(
                $"{connections:N0} connections cannot be opened on this machine ({exception.InnerException.Message}). Allow fewer with --concurrency.", exception);
        }
    }

    /// <summary>Sends all requests of the run's scenario, and returns when all are answered.</summary>
    public Task SendAsync(Run run, CancellationToken cancellationToken) => Task.Run(() => SendAllAsync(run, cancellationToken), cancellationToken);

    public void Dispose()
    {
        _client.Dispose();
        _connections.Dispose();
    }

    private async Task SendAllAsync(Run run, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var (requests, over) = (run.Scenario.Requests, run.Scenario.Over);
        var sent = new List<Task>(requests);
        while (sent.Count < requests && !cancellationToken.IsCancellationRequested)
        {
            var elapsed = Stopwatch.GetElapsedTime(start);
            var due = (int)Math.Min(requests, (elapsed / over * requests) + 1);
            while (sent.Count < due) sent.Add(SendAsync(run, sent.Count, start, cancellationToken));
            if (due < requests) await Task.Delay(TimeSpan.FromMilliseconds(1), CancellationToken.None);
        }

        await Task.WhenAll(sent);
        run.Elapsed = Stopwatch.GetElapsedTime(start);
        cancellationToken.ThrowIfCancellationRequested();
    }

    // The latency counts from the user's click, so that a delay on the way to the app is included.
    private async Task SendAsync(Run run, int request, long start, CancellationToken cancellationToken)
    {
        var isAnswered = false;
        try
        {
            await _connections.WaitAsync(cancellationToken);
            run.RecordSent(Stopwatch.GetElapsedTime(start));
            try
            {
                using var response = await _client.GetAsync($"/post/{run.Scenario.PostOf(request)}", cancellationToken);
                isAnswered = response.IsSuccessStatusCode && (await response.Content.ReadAsByteArrayAsync(cancellationToken)).Length > 0;
            }
            finally
            {
                _connections.Release();
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or IOException)
        {
            // A request without an answer is counted, and the run goes on.
        }

        var clicked = start + (long)(run.Scenario.Over.TotalSeconds * request / run.Scenario.Requests * Stopwatch.Frequency);
        run.Record(request, Stopwatch.GetElapsedTime(Math.Max(clicked, run.OpenedAt)), isAnswered);
    }
}
