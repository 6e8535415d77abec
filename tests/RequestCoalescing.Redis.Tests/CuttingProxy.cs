using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Sits between a node and its server, and can swallow the reply to the next script: it was applied, and nobody hears of it.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _server;
    private readonly List<TcpClient> _clients = [];
    private readonly Task _accepting;
    private int _isArmed;

    public CuttingProxy(int server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many connections it has cut.</summary>
    public int Cuts { get; private set; }

    /// <summary>Cuts the connection that sends the next script, as soon as the server has answered it.</summary>
    public void CutNextScript() => Volatile.Write(ref _isArmed, 1);

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        lock (_clients) _clients.ForEach(client => client.Dispose());
        await _accepting.WaitAsync(Patience.Limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync();
            var server = new TcpClient("127.0.0.1", _server);
            lock (_clients) _clients.AddRange([client, server]);
            _ = PumpAsync(client, server);
        }
    }

    private async Task PumpAsync(TcpClient client, TcpClient server)
    {
        var isCutting = false;
        var requests = CopyAsync(client, server, bytes => isCutting |= Encoding.ASCII.GetString(bytes).Contains("EVAL", StringComparison.Ordinal) && Interlocked.Exchange(ref _isArmed, 0) == 1);
        var replies = CopyAsync(server, client, _ =>
        {
            if (!isCutting) return;
            Cuts++;
            throw new IOException("Cut.");
        });
        await Task.WhenAny(requests, replies);
        client.Dispose();
        server.Dispose();
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, Action<byte[]> look)
    {
        var buffer = new byte[16_384];
        while (await from.GetStream().ReadAsync(buffer) is > 0 and var read)
        {
            look(buffer[..read]);
            await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
        }
    }
}
