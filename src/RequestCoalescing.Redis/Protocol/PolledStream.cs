using System.Net.Sockets;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>Reads and writes a non-blocking socket. No thread takes part but the one that calls.</summary>
/// <remarks>
/// On Unix, the runtime ends a blocking read of such a socket on the thread that watches all sockets, or on the thread pool if the answer arrives while
/// the read begins. With a busy pool that read does not end. Here the kernel wakes the thread.
/// </remarks>
internal sealed class PolledStream(Socket socket, TimeSpan timeout) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <exception cref="TimeoutException">Nothing arrives in time.</exception>
    /// <exception cref="SocketException">The connection is lost.</exception>
    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            WaitFor(SelectMode.SelectRead);
            var read = socket.Receive(buffer, SocketFlags.None, out var error);
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
            WaitFor(SelectMode.SelectWrite);
            var sent = socket.Send(buffer, SocketFlags.None, out var error);
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
        if (disposing) socket.Dispose();
        base.Dispose(disposing);
    }

    private void WaitFor(SelectMode mode)
    {
        if (!socket.Poll(timeout, mode)) throw new TimeoutException();
    }

    // False if the socket was not ready after all.
    private static bool IsDone(SocketError error) => error switch
    {
        SocketError.Success => true,
        SocketError.WouldBlock => false,
        _ => throw new SocketException((int)error),
    };
}
