using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Plays random histories of callers, forgets and faults on four nodes, and checks each for events that must not happen.</summary>
public abstract class HistoryTests(ITestOutputHelper output)
{
    private const int Nodes = 4;
    private static readonly string[] s_keys = ["a", "b"];
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    [Fact]
    public Task Without_faults_there_is_one_run_at_a_time() => PlayAsync(new Storm(Forgets: false, Leaves: false, Faults: []), s_long);

    [Fact]
    public Task Leaving_callers_and_forgotten_keys_cause_no_foreign_outcome() => PlayAsync(new Storm(Forgets: true, Leaves: true, Faults: []), s_long);

    [Fact]
    public Task Lost_messages_cause_no_foreign_outcome() => PlayAsync(new Storm(Forgets: true, Leaves: true, [DeafenAsync]), s_long);

    [Fact]
    public Task Cut_connections_cause_no_foreign_outcome() => PlayAsync(new Storm(Forgets: true, Leaves: true, [CutAsync, CutNextScriptAsync]), TimeSpan.FromMilliseconds(500));

    [Theory]
    [InlineData(OutageBehavior.Fail)]
    [InlineData(OutageBehavior.CoalesceLocally)]
    public Task Slow_servers_and_expired_leases_cause_no_foreign_outcome(OutageBehavior onOutage) =>
        PlayAsync(new Storm(Forgets: true, Leaves: true, [StallAsync, DeafenAsync, CutAsync, CutNextScriptAsync], onOutage), TimeSpan.FromMilliseconds(300));

    protected abstract Task<RedisServer> StartAsync();

    private static async Task DeafenAsync(FaultyProxy proxy, TimeSpan duration)
    {
        proxy.Deafen();
        await Task.Delay(duration);
        proxy.Undeafen();
    }

    private static async Task StallAsync(FaultyProxy proxy, TimeSpan duration)
    {
        proxy.Stall();
        await Task.Delay(duration);
        proxy.Resume();
    }

    private static Task CutAsync(FaultyProxy proxy, TimeSpan duration)
    {
        proxy.Cut();
        return Task.CompletedTask;
    }

    private static Task CutNextScriptAsync(FaultyProxy proxy, TimeSpan duration)
    {
        proxy.CutNextScript();
        return Task.CompletedTask;
    }

    // Any order of events is valid, so that nothing here waits for a particular one.
    private async Task PlayAsync(Storm storm, TimeSpan lease)
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"Seed {seed}.");
        var history = new History();
        await using var server = await StartAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, Nodes).Select(node => Node.StartAsync(server, node, storm, lease)));
        try
        {
            using var end = new CancellationTokenSource(s_duration);
            var players = nodes.SelectMany(node => Enumerable.Range(0, 6).Select(player => CallersAsync(node, new Random(seed + (node.Number * 100) + player))));
            if (storm.Forgets) players = players.Concat(nodes.Select(node => ForgetsAsync(node, new Random(seed + (node.Number * 100) + 50))));
            if (storm.Faults.Length > 0) players = players.Concat(nodes.Select(node => FaultsAsync(node, new Random(seed + (node.Number * 100) + 51))));
            await Task.WhenAll(players.ToList()).WaitAsync(s_duration + Patience.Limit);

            async Task CallersAsync(Node node, Random random)
            {
                while (!end.IsCancellationRequested)
                {
                    using var leaves = new CancellationTokenSource();
                    if (storm.Leaves && random.Next(10) == 0) leaves.CancelAfter(random.Next(20));
                    var (length, succeeds) = (random.Next(12), random.Next(5) > 0);
                    var token = random.Next(2) == 0 ? leaves.Token : CancellationToken.None; // callers without a token share a task
                    await history.CallAsync(node.Singleflight, node.Number, s_keys[random.Next(s_keys.Length)], WorkAsync, token);
                    if (random.Next(2) == 0) await Task.Delay(random.Next(8));

                    async Task<bool> WorkAsync(CancellationToken token)
                    {
                        await Task.Delay(length, token);
                        return succeeds;
                    }
                }
            }

            async Task ForgetsAsync(Node node, Random random)
            {
                var forgets = new List<Task>();
                while (!end.IsCancellationRequested)
                {
                    await Task.Delay(random.Next(60));
                    forgets.Add(history.ForgetAsync(node.Singleflight, node.Number, s_keys[random.Next(s_keys.Length)]));
                }

                await Task.WhenAll(forgets);
            }

            async Task FaultsAsync(Node node, Random random)
            {
                while (!end.IsCancellationRequested)
                {
                    await Task.Delay(random.Next(300));
                    await storm.Faults[random.Next(storm.Faults.Length)](node.Proxy!, TimeSpan.FromMilliseconds(random.Next(250)));
                }
            }
        }
        finally
        {
            foreach (var node in nodes) await node.DisposeAsync();
        }

        output.WriteLine($"{history.Calls} calls, {history.Runs} runs.");
        history.AssertNoForeignOutcomes(coalescesAlone: storm.OnOutage == OutageBehavior.CoalesceLocally);
        if (!storm.Forgets && storm.Faults.Length == 0) history.AssertOneRunAtATime();
    }

    private sealed record Storm(bool Forgets, bool Leaves, Func<FaultyProxy, TimeSpan, Task>[] Faults, OutageBehavior OnOutage = OutageBehavior.Fail);

    private sealed class Node(int number, FaultyProxy? proxy, ConnectionMultiplexer connection, RedisSingleflight singleflight) : IAsyncDisposable
    {
        public int Number => number;

        public FaultyProxy? Proxy => proxy;

        public RedisSingleflight Singleflight => singleflight;

        public static async Task<Node> StartAsync(RedisServer server, int number, Storm storm, TimeSpan lease)
        {
            var isFaulty = storm.Faults.Length > 0;
            var proxy = isFaulty ? new FaultyProxy(server.Port) : null;
            var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{proxy?.Port ?? server.Port},abortConnect=false,connectRetry=10,connectTimeout=2000,asyncTimeout=1000");
            var options = new RedisSingleflightOptions
            {
                LeaseDuration = lease,
                CommandTimeout = isFaulty ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromSeconds(20),
                OutageBreak = TimeSpan.FromMilliseconds(500),
                OnOutage = storm.OnOutage,
            };
            var singleflight = new RedisSingleflight(connection, null, options);
            return new Node(number, proxy, connection, singleflight);
        }

        public async ValueTask DisposeAsync()
        {
            await singleflight.DisposeAsync();
            await connection.DisposeAsync();
            if (proxy is not null) await proxy.DisposeAsync();
        }
    }
}

public sealed class GarnetHistoryTests(ITestOutputHelper output) : HistoryTests(output)
{
    protected override Task<RedisServer> StartAsync() => Task.FromResult(RedisServer.StartGarnet());
}

public sealed class RedisServerHistoryTests(ITestOutputHelper output) : HistoryTests(output)
{
    protected override Task<RedisServer> StartAsync() => RedisServer.StartRedisAsync();
}
