using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>The laws hold on a node of a cluster, with any kind of server.</summary>
public abstract class RedisContractTests : SingleflightContract
{
    private RedisServer? _server;
    private ConnectionMultiplexer? _connection;

    public override async ValueTask InitializeAsync()
    {
        _server = await StartAsync();
        _connection = await _server.ConnectAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
    }

    protected abstract Task<RedisServer> StartAsync();

    protected sealed override ISingleflight CreateSingleflight(SingleflightOptions options) =>
        new RedisSingleflight(_connection!, options, new RedisSingleflightOptions { KeyPrefix = $"test:{Guid.NewGuid():N}" });
}
