using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Plays random histories of readers, loads, removals and a killed node on three nodes with one Redis as the second level of their caches.</summary>
public abstract class CacheClusterHistoryTests(ITestOutputHelper output)
{
    private const int Nodes = 3;
    private const int Changes = 60;
    private static readonly string[] s_keys = ["a", "b"];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_reader_that_comes_after_a_removal_on_any_node_sees_what_was_loaded_before_it(bool kills)
    {
        var violation = await PlayAsync(isBare: false, kills);
        Assert.True(violation is null, violation);
    }

    [Fact]
    public async Task The_same_histories_find_such_a_reader_on_bare_caches() => Assert.NotNull(await PlayAsync(isBare: true, kills: false));

    protected abstract Task<RedisServer> StartAsync();

    // Any order of events is valid, so the players wait for none.
    private async Task<string?> PlayAsync(bool isBare, bool kills)
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"Seed {seed}.");
        var nodes = new List<Node>();
        var history = default(CacheClusterHistory)!;
        history = new CacheClusterHistory(key => Task.WhenAll(nodes.Select(node => ReadQuicklyAsync(node, key))));
        await using var server = await StartAsync();
        for (var node = 0; node < Nodes; node++) nodes.Add(await Node.StartAsync(history, server, node, isBare));
        try
        {
            var killsAt = kills ? new Random(seed).Next(Changes / 4, Changes / 2) : int.MaxValue;
            var players = nodes.SelectMany(node => Enumerable.Range(0, 4)
                .Select(player => PlayUntilTheEndAsync(node, new Random(seed + (node.Number * 100) + player), ReadAsync))
                .Append(PlayUntilTheEndAsync(node, new Random(seed + (node.Number * 100) + 50), ChangeAsync)));
            await Task.WhenAll(players.ToList()).SoonAsync();

            async Task PlayUntilTheEndAsync(Node node, Random random, Func<Node, Random, string, Task> play)
            {
                while ((history.Changes < Changes || history.Shared == 0) && node.IsAlive)
                {
                    var turn = play(node, random, s_keys[random.Next(s_keys.Length)]);
                    await turn.WaitAsync(node.Killed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    if (node.IsAlive && turn.IsFaulted && !IsExpected(turn.Exception.InnerException!)) await turn;
                }
            }

            async Task ReadAsync(Node node, Random random, string key)
            {
                using var leaves = new CancellationTokenSource();
                if (random.Next(10) == 0) leaves.CancelAfter(random.Next(20));
                var (length, succeeds) = (random.Next(12), random.Next(8) > 0);
                await history.ReadAsync(node.Cache, key, LoadAsync, () => node.IsAlive, leaves.Token);

                async Task<bool> LoadAsync(CancellationToken token)
                {
                    await Task.Delay(length, token);
                    return succeeds;
                }
            }

            async Task ChangeAsync(Node node, Random random, string key)
            {
                await Task.Delay(random.Next(40));
                await (random.Next(4) == 0 ? history.SetAsync(node.Cache, node.Number, key, () => node.IsAlive) : history.RemoveAsync(node.Cache, node.Number, key, () => node.IsAlive));
                if (history.Changes >= killsAt && nodes[^1].IsAlive) await nodes[^1].KillAsync();
            }
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
        }

        output.WriteLine($"{history.Reads} reads, {history.Shared} of values that were there or under way, {history.Changes} changes.");
        return history.FindViolation(node => nodes[node].IsAlive);

        async Task ReadQuicklyAsync(Node node, string key) =>
            await history.ReadAsync(node.Cache, key, static _ => Task.FromResult(true), () => node.IsAlive, default).WaitAsync(node.Killed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // A load fails on the node of the reader or on another one, or all callers of the node that loads have left.
    private static bool IsExpected(Exception error) => error is InvalidDataException or RemoteFlightException or OperationCanceledException;

    private sealed class Node(int number, FaultyProxy proxy, ConnectionMultiplexer connection, ServiceProvider services) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _killed = new();

        public int Number => number;

        public CancellationToken Killed => _killed.Token;

        public bool IsAlive => !_killed.IsCancellationRequested;

        public HybridCache Cache { get; } = services.GetRequiredService<HybridCache>();

        public static async Task<Node> StartAsync(CacheClusterHistory history, RedisServer server, int number, bool isBare)
        {
            var proxy = new FaultyProxy(server.Port);
            var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{proxy.Port},abortConnect=false,connectRetry=10,connectTimeout=2000,asyncTimeout=20000");
            var services = new ServiceCollection();
            services.AddLogging();
            services.AddSingleton<IConnectionMultiplexer>(connection);
            var second = new RedisCache(Options.Create(new RedisCacheOptions { ConnectionMultiplexerFactory = () => Task.FromResult<IConnectionMultiplexer>(connection) }));
            services.AddSingleton(history.Record(second, number));
            services.AddHybridCache();
            if (!isBare)
            {
                services.AddSingleflight("cache")
                    .UseRedis(configure: static options => (options.LeaseDuration, options.CommandTimeout) = (TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(3)))
                    .CoalesceHybridCache();
            }

            return new Node(number, proxy, connection, services.BuildServiceProvider());
        }

        /// <summary>Cuts the node off for good, so that it neither releases its leases nor removes what it has stored.</summary>
        public async Task KillAsync()
        {
            await _killed.CancelAsync();
            await proxy.DisposeAsync();
            await connection.CloseAsync(allowCommandsToComplete: false);
        }

        public async ValueTask DisposeAsync()
        {
            await services.DisposeAsync();
            await connection.DisposeAsync();
            await proxy.DisposeAsync();
        }
    }
}

public sealed class GarnetCacheClusterHistoryTests(ITestOutputHelper output) : CacheClusterHistoryTests(output)
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}

public sealed class RedisServerCacheClusterHistoryTests(ITestOutputHelper output) : CacheClusterHistoryTests(output)
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
