using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace RequestCoalescing.Benchmarks.Cluster;

/// <summary>A node of the cluster, which counts its commands under its own name.</summary>
internal sealed class ClusterNode : IAsyncDisposable
{
    private readonly ServiceProvider _provider;

    public ClusterNode(string name, IConnectionMultiplexer connection)
    {
        Name = name;
        var services = new ServiceCollection();
        services.AddSingleflight(name).UseRedis(_ => connection, options => options.KeyPrefix = "benchmark");
        _provider = services.BuildServiceProvider();
        Singleflight = _provider.GetRequiredKeyedService<ISingleflight>(name);
    }

    public string Name { get; }

    public ISingleflight Singleflight { get; }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();
}
