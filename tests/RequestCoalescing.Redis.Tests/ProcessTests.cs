using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Nodes in separate processes, with a shared backend and server.</summary>
public sealed partial class ProcessTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Workers = 4;
    private const int Stop = 19;
    private const int Continue = 18;
    private static readonly TimeSpan s_shortLease = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_starvedLease = TimeSpan.FromSeconds(6); // a busy machine does not hold a heartbeat up for as long as most of it
    private static readonly TimeSpan s_longLease = TimeSpan.FromMinutes(1); // longer than any pause of a busy machine
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    // One thread watches all sockets of a node, and also runs the continuations of their reads.
    private static readonly (string Name, string Value)[] s_oneSocketThread = [("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1"), ("DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT", "1")];

    private readonly List<WorkerProcess> _nodes = [];
    private EmbeddedServer? _server;
    private SlowBackend? _backend;

    public async ValueTask InitializeAsync()
    {
        _server = EmbeddedServer.Start();
        _backend = await SlowBackend.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        if (_backend is not null) await _backend.DisposeAsync();
        _server?.Dispose();
    }

    [Fact]
    public async Task Two_thousand_callers_of_one_key_in_four_processes_share_one_run()
    {
        await StartNodesAsync(s_longLease);
        var answers = await Task.WhenAll(_nodes.Select(node => node.CallAsync("viral", 500, 3_000))).WaitAsync(s_patience);
        Assert.All(answers, answer => Assert.Equal((500, 0, 1), (answer.Answered, answer.Failed, answer.DifferentAnswers)));
        Assert.Single(answers.Select(answer => answer.Answer).Distinct());
        Assert.Equal(1, RequestsFor("viral"));
    }

    [Fact]
    public async Task A_thousand_keys_cause_a_thousand_runs_spread_over_the_nodes()
    {
        await StartNodesAsync(s_longLease);
        var answers = await Task.WhenAll(_nodes.Select(node => node.SpreadAsync("post", 1_000, 8_000))).WaitAsync(s_patience);
        Assert.All(answers, answer => Assert.Equal((1_000, 0), (answer.Answered, answer.Failed)));
        Assert.Equal(1_000, RequestsFor("post-"));
        Assert.Equal(1_000, _backend!.Requests.Where(request => request.Key.StartsWith("post-", StringComparison.Ordinal)).Select(request => request.Key).Distinct().Count());
        Assert.True(_backend.Requests.Select(request => request.Node).Distinct().Count() > 1, "One node ran all the work.");
    }

    [Fact]
    public async Task A_leader_that_is_killed_is_succeeded_by_exactly_one()
    {
        await StartNodesAsync(s_shortLease);
        var calls = _nodes.ToDictionary(node => node, node => node.CallAsync("killed", 100, 1_500));
        var leader = await LeaderOfAsync("killed");
        leader.Kill();
        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(calls.Where(call => call.Key != leader).Select(call => call.Value)).WaitAsync(s_patience);
        output.WriteLine($"Leader killed: the others had their outcome {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms later, of which 1,500 are the backend's; a lease lasts {s_shortLease.TotalMilliseconds} ms.");
        Assert.All(answers, answer => Assert.Equal((100, 0, 1), (answer.Answered, answer.Failed, answer.DifferentAnswers)));
        Assert.Single(answers.Select(answer => answer.Answer).Distinct());
        Assert.Equal(2, RequestsFor("killed"));
    }

    [Fact]
    public async Task A_leader_that_is_paused_past_its_lease_does_not_publish_its_outcome()
    {
        await StartNodesAsync(s_shortLease);
        var calls = _nodes.ToDictionary(node => node, node => node.CallAsync("paused", 100, 300));
        var leader = await LeaderOfAsync("paused");
        Assert.Equal(0, Kill(leader.Id, Stop));
        var start = Stopwatch.GetTimestamp();
        WorkerAnswer[] others;
        try
        {
            others = await Task.WhenAll(calls.Where(call => call.Key != leader).Select(call => call.Value)).WaitAsync(s_patience);
            output.WriteLine($"Leader paused: the others had their outcome {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms later, of which 300 are the backend's.");
        }
        finally
        {
            Assert.Equal(0, Kill(leader.Id, Continue));
        }

        var own = await calls[leader].WaitAsync(s_patience);
        Assert.All(others, answer => Assert.Equal((100, 0, 1), (answer.Answered, answer.Failed, answer.DifferentAnswers)));
        Assert.Equal((100, 0, 1), (own.Answered, own.Failed, own.DifferentAnswers)); // its own callers get its outcome
        Assert.EndsWith($"node {leader.Id}", own.Answer, StringComparison.Ordinal);
        Assert.DoesNotContain(others, answer => answer.Answer == own.Answer);
        Assert.Equal(2, RequestsFor("paused"));
    }

    [Fact]
    public async Task A_leader_whose_thread_pool_and_socket_thread_are_busy_for_two_leases_keeps_its_lease()
    {
        await StartNodesAsync(_server!.ConnectionString, s_starvedLease, s_oneSocketThread);
        await StarveLeaderAsync();
    }

    [Fact]
    public async Task A_starved_leader_keeps_its_lease_on_a_server_that_asks_for_TLS_and_a_password()
    {
        var folder = Directory.CreateTempSubdirectory("redis-tls-");
        try
        {
            var (certificate, key) = (Path.Combine(folder.FullName, "certificate.pem"), Path.Combine(folder.FullName, "key.pem"));
            using (var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            using (var issued = new CertificateRequest("CN=localhost", pair, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)))
            {
                await File.WriteAllTextAsync(certificate, issued.ExportCertificatePem());
                await File.WriteAllTextAsync(key, pair.ExportPkcs8PrivateKeyPem());
            }

            var port = RedisServer.FreePort();
            await using var server = await RedisServer.StartRedisAsync(
                port, "--port", "0", "--tls-port", $"{port}", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no", "--requirepass", "secret");
            await StartNodesAsync($"localhost:{port},ssl=true,password=secret", s_starvedLease, [.. s_oneSocketThread, ("SSL_CERT_FILE", certificate)]);
            await StarveLeaderAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task StarveLeaderAsync()
    {
        var calls = _nodes.ToDictionary(node => node, node => node.CallAsync("starved", 100, 1_000)); // the answer comes while no thread can read it
        var leader = await LeaderOfAsync("starved");
        var starved = leader.StarveAsync((int)(2 * s_starvedLease).TotalMilliseconds);
        var answers = await Task.WhenAll(calls.Where(call => call.Key != leader).Select(call => call.Value)).WaitAsync(s_patience);
        Assert.All(answers, answer => Assert.EndsWith($"node {leader.Id}", answer.Answer, StringComparison.Ordinal));
        Assert.Equal(1, RequestsFor("starved"));
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    private Task StartNodesAsync(TimeSpan lease) => StartNodesAsync(_server!.ConnectionString, lease);

    private async Task StartNodesAsync(string redis, TimeSpan lease, params (string Name, string Value)[] environment) =>
        _nodes.AddRange(await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => WorkerProcess.StartAsync(redis, _backend!.Address, lease, environment))));

    private async Task<WorkerProcess> LeaderOfAsync(string key)
    {
        var leader = await _backend!.FirstNodeAsync(key);
        return _nodes.Single(node => node.Id == leader);
    }

    private int RequestsFor(string key) => _backend!.Requests.Count(request => request.Key.StartsWith(key, StringComparison.Ordinal));
}
