using System.Net;
using System.Net.Sockets;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>A connection whose reads and writes need no thread but the one that calls. They share a time limit.</summary>
/// <remarks>
/// On Unix, the runtime ends a blocking read of a socket that has once been non-blocking on the thread that watches all sockets, or on the thread pool if
/// the answer arrives while the read begins. With a busy pool that read does not end. Here the kernel wakes the thread.
/// </remarks>
internal sealed class PolledStream : Stream
{
    private readonly TimeSpan _limit;
    private readonly Socket _socket;
    private long _startedAt = TimeProvider.System.GetTimestamp();

    /// <summary>Connects to the first address of the server that answers. The time for this is part of the limit. The resolution of a name has no limit of its own.</summary>
    /// <exception cref="TimeoutException">No address of the server can be reached in time.</exception>
    /// <exception cref="SocketException">The server's name is unknown, or its last address refuses.</exception>
    public PolledStream(EndPoint server, TimeSpan limit)
    {
        _limit = limit;
        EndPoint[] addresses = server is DnsEndPoint name ? [.. Dns.GetHostAddresses(name.Host, name.AddressFamily).Select(address => new IPEndPoint(address, name.Port))] : [server];
        for (var next = 0; ; next++)
        {
            try
            {
                _socket = Connect(addresses[next], Left / (addresses.Length - next));
                return;
            }
            catch (Exception) when (next < addresses.Length - 1)
            {
                // The next address may answer.
            }
        }
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    private TimeSpan Left => _limit - TimeProvider.System.GetElapsedTime(_startedAt);

    /// <summary>Grants the whole time again.</summary>
    public void Restart() => _startedAt = TimeProvider.System.GetTimestamp();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <exception cref="TimeoutException">Nothing arrives in time.</exception>
    /// <exception cref="SocketException">The connection is lost.</exception>
    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            WaitFor(_socket, SelectMode.SelectRead, Left);
            var read = _socket.Receive(buffer, SocketFlags.None, out var error);
            if (IsDone(error)) return read;
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <exception cref="TimeoutException">The server takes nothing in time.</exception>
    /// <exception cref="SocketException">The connection is lost.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            WaitFor(_socket, SelectMode.SelectWrite, Left);
            var sent = _socket.Send(buffer, SocketFlags.None, out var error);
            if (IsDone(error)) buffer = buffer[sent..];
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _socket.Dispose();
        base.Dispose(disposing);
    }

    private static Socket Connect(EndPoint address, TimeSpan limit)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, address is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        try
        {
            socket.Blocking = false;
            if (address is IPEndPoint) socket.NoDelay = true;
            try
            {
                socket.Connect(address);
            }
            catch (SocketException pending) when (pending.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                WaitFor(socket, SelectMode.SelectWrite, limit);
                if ((int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! is not 0 and var error) throw new SocketException(error);
            }

            return socket;
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
    }

    private static void WaitFor(Socket socket, SelectMode mode, TimeSpan limit)
    {
        if (limit <= TimeSpan.Zero || !socket.Poll(limit, mode)) throw new TimeoutException();
    }

    // False if the socket was not ready after all.
    private static bool IsDone(SocketError error) => error switch
    {
        SocketError.Success => true,
        SocketError.WouldBlock => false,
        _ => throw new SocketException((int)error),
    };
}
