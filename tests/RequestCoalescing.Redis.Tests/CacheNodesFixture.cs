using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Nodes with caches, and the server that they share.</summary>
public abstract class CacheNodesFixture : IAsyncLifetime
{
    protected Backend<int> Backend { get; } = new();

    protected List<ServiceProvider> Nodes { get; } = [];

    protected RedisServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes) await node.DisposeAsync();
        await Server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected abstract Task<RedisServer> StartAsync();
}
