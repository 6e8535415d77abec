using System.Collections.Concurrent;
using System.Net;

namespace Cluster;

/// <summary>The backend of all nodes: a slow service on its own port, which records the key and the node of each request.</summary>
internal sealed class SlowBackend : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Key, int Node)> _requests = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<int>> _first = new();

    private SlowBackend()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapGet("/{key}", async (string key, int node, int ms) =>
        {
            _requests.Enqueue((key, node));
            FirstOf(key).TrySetResult(node);
            await Task.Delay(ms);
            return $"{key} for node {node}";
        });
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>The requests, in the order in which they came.</summary>
    public IReadOnlyCollection<(string Key, int Node)> Requests => _requests;

    public static async Task<SlowBackend> StartAsync()
    {
        var backend = new SlowBackend();
        await backend._app.StartAsync();
        return backend;
    }

    /// <summary>Waits for the first request for a key, and returns its node.</summary>
    public Task<int> FirstNodeAsync(string key) => FirstOf(key).Task.WaitAsync(TimeSpan.FromSeconds(30));

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private TaskCompletionSource<int> FirstOf(string key) =>
        _first.GetOrAdd(key, static _ => new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously));
}
