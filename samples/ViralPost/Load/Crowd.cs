using System.Diagnostics;
using System.Net.Sockets;

namespace ViralPost.Load;

/// <summary>Ten thousand users: HTTP requests over loopback, each at its own moment of one second, whether or not earlier ones are answered.</summary>
internal sealed class Crowd : IDisposable
{
    private static readonly TimeSpan s_arrival = TimeSpan.FromSeconds(1);

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

    /// <summary>Opens the users' connections, so that a run measures answers and not handshakes.</summary>
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
                $"{connections:N0} connections cannot be opened here ({exception.InnerException.Message}); allow fewer with --concurrency.", exception);
        }
    }

    /// <summary>Lets the crowd loose.</summary>
    public Run RunAsync(Scenario scenario, string strategy, int requests, CancellationToken cancellationToken)
    {
        var run = new Run(scenario, strategy, requests);
        run.Result = Task.Run(() => SendAllAsync(run, cancellationToken), cancellationToken);
        return run;
    }

    public void Dispose()
    {
        _client.Dispose();
        _connections.Dispose();
    }

    private async Task<Run> SendAllAsync(Run run, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var sent = new List<Task>(run.Requests);
        while (sent.Count < run.Requests)
        {
            var elapsed = Stopwatch.GetElapsedTime(start);
            var due = (int)Math.Min(run.Requests, (elapsed / s_arrival * run.Requests) + 1);
            while (sent.Count < due) sent.Add(SendAsync(run, sent.Count, start, cancellationToken));
            if (due < run.Requests) await Task.Delay(TimeSpan.FromMilliseconds(1), cancellationToken);
        }

        await Task.WhenAll(sent);
        cancellationToken.ThrowIfCancellationRequested();
        run.Elapsed = Stopwatch.GetElapsedTime(start);
        return run;
    }

    // Timed from the moment the user clicked, whatever then held the request up on its way.
    private async Task SendAsync(Run run, int request, long start, CancellationToken cancellationToken)
    {
        var clicked = s_arrival * ((double)request / run.Requests);
        var isAnswered = false;
        try
        {
            await _connections.WaitAsync(cancellationToken);
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
            // Counted: a request that was not answered is the result of the run, not its end.
        }

        run.Record(request, Stopwatch.GetElapsedTime(start) - clicked, isAnswered);
    }
}
