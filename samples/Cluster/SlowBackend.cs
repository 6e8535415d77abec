using System.Collections.Concurrent;
using System.Net;

namespace Cluster;

/// <summary>What all nodes ask: a service on a port of its own, which takes its time and counts who asked for what.</summary>
internal sealed class SlowBackend : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Key, int Node)> _asked = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<int>> _first = new();

    private SlowBackend()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapGet("/{key}", async (string key, int node, int ms) =>
        {
            _asked.Enqueue((key, node));
            FirstOf(key).TrySetResult(node);
            await Task.Delay(ms);
            return $"{key} as made for node {node}";
        });
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>The questions, in the order in which they came.</summary>
    public IReadOnlyCollection<(string Key, int Node)> Asked => _asked;

    public static async Task<SlowBackend> StartAsync()
    {
        var backend = new SlowBackend();
        await backend._app.StartAsync();
        return backend;
    }

    /// <summary>The node that is the first to ask for a key.</summary>
    public Task<int> FirstToAskAsync(string key) => FirstOf(key).Task.WaitAsync(TimeSpan.FromSeconds(30));

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private TaskCompletionSource<int> FirstOf(string key) =>
        _first.GetOrAdd(key, static _ => new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously));
}
