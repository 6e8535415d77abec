namespace RequestCoalescing.Http.Tests;

/// <summary>The origin of a body. It gives the bytes that a test has written, each of which shows its place.</summary>
internal sealed class ScriptedStream : Stream
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _waiting;
    private long _written;
    private long _given;
    private bool _hasEnded;
    private Exception? _failure;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The bytes that have been read, and whether its reader waits for more.</summary>
    public (long Given, bool IsAwaited) State
    {
        get
        {
            lock (_gate) return (_given, _waiting is not null);
        }
    }

    public static byte ByteAt(long position) => (byte)(position ^ (position >> 8) ^ (position >> 16));

    public void Add(int bytes) => Continue(() => _written += bytes);

    public void End(Exception? failure) => Continue(() => (_hasEnded, _failure) = (true, failure));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task waiting;
            lock (_gate)
            {
                var count = (int)Math.Min(buffer.Length, _written - _given);
                for (var i = 0; i < count; i++) buffer.Span[i] = ByteAt(_given + i);
                _given += count;
                if (count > 0) return count;
                if (_hasEnded) return _failure is null ? 0 : throw _failure;
                waiting = (_waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await waiting.WaitAsync(cancellationToken);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void Continue(Action change)
    {
        TaskCompletionSource? waiting;
        lock (_gate)
        {
            change();
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.SetResult();
    }
}
