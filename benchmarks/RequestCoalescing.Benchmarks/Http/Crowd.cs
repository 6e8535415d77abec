using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Benchmarks.Http;

/// <summary>
/// Clients that ask at once, over a connection each. They cost as little as clients can, because they share the processors with the servers: the request is the
/// same bytes for all, and one thread sends it to all connections.
/// </summary>
internal sealed class Crowd : IDisposable
{
    private readonly IPEndPoint _server;
    private readonly Client[] _clients;

    private Crowd(IPEndPoint server, Client[] clients) => (_server, _clients) = (server, clients);

    /// <summary>Opens the connections.</summary>
    public static async Task<Crowd> ConnectAsync(int port, int clients)
    {
        var crowd = new Crowd(new IPEndPoint(IPAddress.Loopback, port), [.. Enumerable.Range(0, clients).Select(static _ => new Client())]);
        await crowd.ReconnectAsync();
        return crowd;
    }

    /// <summary>Lets all clients ask for a page.</summary>
    /// <returns>The milliseconds from each request until its response was complete, in order, and how many did not get the page.</returns>
    public async Task<(double[] Times, int Failed)> AskAsync(string page)
    {
        await ReconnectAsync();
        var request = Encoding.ASCII.GetBytes($"GET /{page} HTTP/1.1\r\nHost: 127.0.0.1:{_server.Port}\r\n\r\n");
        var answers = Array.ConvertAll(_clients, static client => client.ReceiveAsync());
        foreach (var client in _clients) client.Send(request);
        await Task.WhenAll(answers);
        return ([.. _clients.Select(static client => client.Milliseconds).Order()], _clients.Count(static client => client.HasFailed));
    }

    public void Dispose() => Array.ForEach(_clients, static client => client.Dispose());

    private async Task ReconnectAsync()
    {
        foreach (var client in _clients.Where(static client => client.IsClosed)) await client.ConnectAsync(_server);
    }

    private sealed class Client : IDisposable
    {
        private static readonly byte[] s_ok = "HTTP/1.1 200"u8.ToArray();

        private readonly byte[] _buffer = new byte[1024];
        private Socket? _socket;
        private long _sent;

        public bool IsClosed => _socket is null;

        public double Milliseconds { get; private set; }

        public bool HasFailed { get; private set; }

        public async Task ConnectAsync(IPEndPoint server)
        {
            _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await _socket.ConnectAsync(server);
        }

        public void Send(byte[] request)
        {
            _sent = Stopwatch.GetTimestamp();
            try
            {
                _socket?.Send(request);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // The server has closed the connection, and the client has failed already.
            }
        }

        /// <summary>Receives one response. A page is short, and has a length.</summary>
        public async Task ReceiveAsync()
        {
            (HasFailed, _sent) = (true, Stopwatch.GetTimestamp());
            var length = 0;
            try
            {
                while (length < _buffer.Length)
                {
                    var count = await _socket!.ReceiveAsync(_buffer.AsMemory(length));
                    if (count == 0) break;
                    length += count;
                    if (length >= s_ok.Length && !_buffer.AsSpan(0, s_ok.Length).SequenceEqual(s_ok)) break;
                    if (!_buffer.AsSpan(0, length).EndsWith("\r\n\r\npage"u8)) continue;
                    HasFailed = false;
                    break;
                }
            }
            catch (SocketException)
            {
            }

            Milliseconds = Stopwatch.GetElapsedTime(_sent).TotalMilliseconds;
            if (HasFailed) Dispose(); // another connection for the next burst
        }

        public void Dispose()
        {
            _socket?.Dispose();
            _socket = null;
        }
    }
}
