using System.Net;
using System.Net.Sockets;
using Garnet;

namespace Cluster;

/// <summary>A server of the Redis protocol in this process, so that nothing needs to be installed.</summary>
internal sealed class EmbeddedServer : IDisposable
{
    private readonly GarnetServer _server;

    private EmbeddedServer(int port)
    {
        // Scripts are atomic only in Garnet's transaction mode. Otherwise two of them may run at once.
        _server = new GarnetServer(["--bind", "127.0.0.1", "--port", $"{port}", "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--index", "16m"]);
        ConnectionString = $"127.0.0.1:{port}";
        _server.Start();
    }

    public string ConnectionString { get; }

    public static EmbeddedServer Start()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        return new EmbeddedServer(port);
    }

    public void Dispose() => _server.Dispose();
}
