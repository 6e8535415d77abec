using Cluster;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Four processes with caches, and the Redis and the backend that they share.</summary>
public sealed class CacheNodes : IAsyncLifetime
{
    private EmbeddedServer? _server;
    private SlowBackend? _backend;

    internal IReadOnlyList<CacheNode> All { get; private set; } = [];

    /// <summary>The duration of a lease. The default is longer than any pause of a busy machine.</summary>
    internal TimeSpan Lease { get; init; } = TimeSpan.FromMinutes(1);

    public async ValueTask InitializeAsync()
    {
        _server = EmbeddedServer.Start();
        _backend = await SlowBackend.StartAsync();
        All = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CacheNode.StartAsync(_server.ConnectionString, _backend.Address, Lease)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in All) await node.DisposeAsync();
        if (_backend is not null) await _backend.DisposeAsync();
        _server?.Dispose();
    }

    /// <summary>How often the backend was asked for a key.</summary>
    internal int RequestsFor(string key) => _backend!.Requests.Count(request => request.Key == key);

    /// <summary>Waits until the backend is asked for a key, and returns the node that asks.</summary>
    internal async Task<CacheNode> LoaderOfAsync(string key)
    {
        var loader = await _backend!.FirstNodeAsync(key);
        return All.Single(node => node.Id == loader);
    }
}
