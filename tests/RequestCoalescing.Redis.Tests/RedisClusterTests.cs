using StackExchange.Redis;


namespace RequestCoalescing.Redis.Tests;

/// <summary>The same tests over Redis Cluster, with three servers that have a third of the slots each. The keys of a flight share a slot. Messages go to all servers.</summary>
public sealed class RedisClusterTests(RedisClusterTests.Servers servers) : ClusterTests, IClassFixture<RedisClusterTests.Servers>
{
    protected override Task<RedisServer> StartAsync() => servers.StartAsync();

    public sealed class Servers : IAsyncDisposable
    {
        private const int Slots = 16_384;
        private readonly SemaphoreSlim _gate = new(1);
        private readonly List<RedisServer> _servers = [];

        // This does not run when the fixture is created, because a test cannot be skipped there.
        public async Task<RedisServer> StartAsync()
        {
            await _gate.WaitAsync();
            try
            {
                if (_servers.Count == 0) await JoinAsync();
                return RedisServer.At(_servers);
            }
            finally
            {
                _gate.Release();
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var server in _servers) await server.DisposeAsync();
            _gate.Dispose();
        }

        private async Task JoinAsync()
        {
            var buses = Enumerable.Range(0, 3).Select(_ => RedisServer.FreePort()).ToArray();
            foreach (var bus in buses)
            {
                _servers.Add(await RedisServer.StartRedisAsync(null, "--cluster-enabled", "yes", "--cluster-port", $"{bus}", "--cluster-config-file", $"nodes-{Guid.NewGuid():N}.conf"));
            }

            for (var i = 0; i < _servers.Count; i++)
            {
                await ExecuteAsync(_servers[i], "CLUSTER", "ADDSLOTSRANGE", Slots * i / 3, (Slots * (i + 1) / 3) - 1);
                for (var other = 0; other < i; other++) await ExecuteAsync(_servers[i], "CLUSTER", "MEET", "127.0.0.1", _servers[other].Port, buses[other]);
            }

            foreach (var server in _servers)
            {
                var start = TimeProvider.System.GetTimestamp();
                while (await ExecuteAsync(server, "CLUSTER", "INFO") is not { } info || !info.Contains("cluster_state:ok", StringComparison.Ordinal) || !info.Contains($"cluster_slots_ok:{Slots}", StringComparison.Ordinal))
                {
                    Assert.True(TimeProvider.System.GetElapsedTime(start) < Patience.Limit, "The servers have not found each other.");
                }
            }
        }

        private static async Task<string?> ExecuteAsync(RedisServer server, string command, params object[] arguments)
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync($"{server.ConnectionString},allowAdmin=true");
            return (string?)await connection.GetServers()[0].ExecuteAsync(command, arguments);
        }
    }
}
