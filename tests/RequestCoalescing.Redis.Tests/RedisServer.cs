using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Garnet;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>A server of the Redis protocol for a test: Garnet in this process, or the machine's <c>redis-server</c>.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private readonly IDisposable? _garnet;
    private readonly Process? _process;

    private readonly int[] _ports;

    private RedisServer(int[] ports, IDisposable? garnet, Process? process) => (_ports, _garnet, _process) = (ports, garnet, process);

    public int Port => _ports[0];

    public string ConnectionString => $"{string.Join(',', _ports.Select(port => $"127.0.0.1:{port}"))},abortConnect=false,connectRetry=10,connectTimeout=2000";

    public Process Process => _process ?? throw new InvalidOperationException("Garnet runs in this process.");

    // Scripts are atomic only in Garnet's transaction mode. Otherwise two of them may run at once.
    public static RedisServer StartGarnet()
    {
        var port = FreePort();
        var server = new GarnetServer(["--bind", "127.0.0.1", "--port", $"{port}", "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--index", "16m"]);
        server.Start();
        return new RedisServer([port], server, null);
    }

    /// <summary>Describes servers that are already running.</summary>
    public static RedisServer At(IEnumerable<RedisServer> servers) => new([.. servers.Select(server => server.Port)], null, null);

    /// <summary>Starts <c>redis-server</c>. Skips the test if it is not installed.</summary>
    public static async Task<RedisServer> StartRedisAsync(int? port = null, params string[] arguments)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, "redis-server is not installed here (Debian: apt-get install redis-server).");
        var chosen = port ?? FreePort();
        var start = new ProcessStartInfo(path, ["--port", $"{chosen}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", Path.GetTempPath(), .. arguments]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        var server = new RedisServer([chosen], null, process);
        await Patience.UntilAsync(() => Accepts(chosen), "redis-server accepts connections");
        return server;
    }

    public Task<ConnectionMultiplexer> ConnectAsync() => ConnectionMultiplexer.ConnectAsync(ConnectionString);

    public async ValueTask DisposeAsync()
    {
        _garnet?.Dispose();
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static bool Accepts(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
