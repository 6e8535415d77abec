using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>A server on bare sockets that answers rightly half of the time. Otherwise it stalls, drips, truncates, resets, lies about lengths, or sends garbage.</summary>
internal sealed class ChaosOrigin : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Socket, Task> _connections = new();
    private readonly Task _accepting;
    private readonly int _seed;
    private long _serial;
    private int _busy;

    public ChaosOrigin(int seed)
    {
        _seed = seed;
        _listener.Start(1_000);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The requests that have arrived.</summary>
    public long Requests => Volatile.Read(ref _serial);

    /// <summary>The requests that are being answered.</summary>
    public int Busy => Volatile.Read(ref _busy);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        foreach (var connection in _connections.Keys) connection.Dispose();
        await Task.WhenAll([_accepting, .. _connections.Values]);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = await _listener.AcceptSocketAsync(_stop.Token);
                connection.NoDelay = true;
                _connections[connection] = Task.Run(() => ServeAsync(connection));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It stops.
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        try
        {
            await using var stream = new NetworkStream(connection);
            var unread = new List<byte>();
            while (await ReadHeadAsync(stream, unread) is { } head && await AnswerAsync(stream, connection, head))
            {
            }
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The proxy has left, or the origin has.
        }
        finally
        {
            connection.Dispose();
            _connections.TryRemove(connection, out _);
        }
    }

    private async Task<string?> ReadHeadAsync(NetworkStream stream, List<byte> unread)
    {
        var buffer = new byte[4_096];
        while (true)
        {
            var text = Encoding.Latin1.GetString([.. unread]);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                unread.RemoveRange(0, end + 4);
                return text[..end];
            }

            var count = await stream.ReadAsync(buffer, _stop.Token);
            if (count == 0) return null;
            unread.AddRange(buffer[..count]);
        }
    }

    // Returns whether the connection can be used again.
    private async Task<bool> AnswerAsync(NetworkStream stream, Socket connection, string head)
    {
        Interlocked.Increment(ref _busy);
        try
        {
            var serial = Interlocked.Increment(ref _serial);
            var reply = new ChaosReply(head, serial, new Random(HashCode.Combine(_seed, serial)));
            var random = reply.Random;
            if (reply.Fault == ChaosFault.Stalls && random.Next(2) == 0) await Task.Delay(random.Next(100, 2_500), _stop.Token);
            if (reply.Fault == ChaosFault.ResetsBeforeHeaders) return Reset(connection);
            if (reply.Fault == ChaosFault.SendsGarbage)
            {
                var garbage = new byte[random.Next(1, 3_000)];
                random.NextBytes(garbage);
                await stream.WriteAsync(garbage, _stop.Token);
                return false;
            }

            var headers = Encoding.Latin1.GetBytes(reply.Headers);
            if (reply.Fault == ChaosFault.EndsWithinHeaders)
            {
                await stream.WriteAsync(headers.AsMemory(0, random.Next(headers.Length - 2)), _stop.Token);
                return false;
            }

            await stream.WriteAsync(headers, _stop.Token);
            if (reply.HasBody && !await SendBodyAsync(stream, connection, reply)) return false;
            return !reply.Closes;
        }
        finally
        {
            Interlocked.Decrement(ref _busy);
        }
    }

    private async Task<bool> SendBodyAsync(NetworkStream stream, Socket connection, ChaosReply reply)
    {
        var random = reply.Random;
        var breakAt = reply.Breaks ? random.Next(1, reply.Length) : int.MaxValue;
        var stallAt = reply.Fault == ChaosFault.Stalls ? random.Next(reply.Length + 1) : int.MaxValue;
        var step = (reply.Length / (reply.Fault == ChaosFault.Drips ? 40 : 200)) + random.Next(1, 50_000);
        if (reply.Fault == ChaosFault.Drips) step = Math.Min(step, 1 + (reply.Length / 10));
        for (var sent = 0; sent < reply.Length;)
        {
            if (sent >= stallAt)
            {
                stallAt = int.MaxValue;
                await Task.Delay(random.Next(100, 2_500), _stop.Token);
            }

            if (reply.Fault == ChaosFault.Drips) await Task.Delay(random.Next(20), _stop.Token);
            var part = new byte[Math.Min(step, Math.Min(breakAt, reply.Length) - sent)];
            ChaosContent.Fill(reply.Seed, reply.Offset + sent, part);
            var isLast = sent + part.Length >= breakAt;
            var missing = isLast && reply.Fault != ChaosFault.BreaksChunk ? random.Next(2) * 10 : 0;
            if (reply.IsChunked) await stream.WriteAsync(Encoding.ASCII.GetBytes($"{part.Length + missing:x}\r\n"), _stop.Token);
            await stream.WriteAsync(part, _stop.Token);
            sent += part.Length;
            if (isLast)
            {
                if (reply.Fault == ChaosFault.Resets) return Reset(connection);
                if (reply.Fault == ChaosFault.BreaksChunk) await stream.WriteAsync("\r\nnonsense\r\n"u8.ToArray(), _stop.Token);
                return false;
            }

            if (reply.IsChunked) await stream.WriteAsync("\r\n"u8.ToArray(), _stop.Token);
        }

        if (reply.Fault == ChaosFault.AnnouncesMore) return false;
        if (reply.IsChunked) await stream.WriteAsync(Encoding.ASCII.GetBytes(random.Next(3) == 0 ? $"0\r\nX-Sum: {reply.Length.ToString(CultureInfo.InvariantCulture)}\r\n\r\n" : "0\r\n\r\n"), _stop.Token);
        return true;
    }

    private static bool Reset(Socket connection)
    {
        connection.LingerState = new LingerOption(enable: true, seconds: 0);
        connection.Close();
        return false;
    }
}
