using System.Buffers;
using System.IO.Pipelines;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>The stream of one caller as a stream of .NET: its reads, its disposal and its source.</summary>
public sealed class ByteReadTests
{
    private readonly Singleflight _singleflight = new();
    private readonly Pipe _pipe = new();

    [Fact]
    public async Task An_empty_read_returns_at_once_and_is_not_the_end()
    {
        await using var stream = await OpenAsync();

        Assert.Equal(0, await stream.ReadAsync(Memory<byte>.Empty));

        await _pipe.Writer.WriteAsync(new byte[] { 1 });
        Assert.Equal(1, await stream.ReadAsync(new byte[4]).AsTask().SoonAsync());
    }

    [Fact]
    public async Task Synchronous_reads_work_and_the_end_stays_the_end()
    {
        await _pipe.Writer.WriteAsync(new byte[] { 1, 2, 3, 4 });
        await _pipe.Writer.CompleteAsync();
        using var stream = await OpenAsync();
        var read = new byte[3];

        Assert.Equal(1, stream.ReadByte());
        Assert.Equal(2, stream.Read(read, 1, 2));
        Assert.Equal([0, 2, 3], read);
        using var rest = new MemoryStream();
        stream.CopyTo(rest);
        Assert.Equal([4], rest.ToArray());
        Assert.Equal(0, stream.Read(read, 0, 3));
        Assert.Equal(-1, stream.ReadByte());
    }

    [Fact]
    public async Task A_pipe_reader_examines_cancels_and_completes()
    {
        var reader = PipeReader.Create(await OpenAsync());
        await _pipe.Writer.WriteAsync(new byte[] { 1, 2 });
        var read = await reader.ReadAsync().AsTask().SoonAsync();
        Assert.Equal([1, 2], read.Buffer.ToArray());
        reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        var pending = reader.ReadAsync().AsTask();
        reader.CancelPendingRead();
        read = await pending.SoonAsync();
        Assert.True(read.IsCanceled);
        reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        await _pipe.Writer.WriteAsync(new byte[] { 3 });
        read = await reader.ReadAsync().AsTask().SoonAsync();
        Assert.Equal([1, 2, 3], read.Buffer.ToArray());
        reader.AdvanceTo(read.Buffer.End);
        Assert.Equal(1, _singleflight.GetStats().TotalSubscribers);

        await reader.CompleteAsync();

        await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0, "the flight is over");
    }

    [Fact]
    public async Task A_disposal_ends_a_pending_read_and_the_flight()
    {
        var stream = await OpenAsync();
        var pending = stream.ReadAsync(new byte[1]).AsTask();

        await stream.DisposeAsync();

        await pending.ThrowsAsync<ObjectDisposedException>();
        await stream.ReadAsync(new byte[1]).AsTask().ThrowsAsync<ObjectDisposedException>();
        await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0, "the flight is over");
    }

    [Fact]
    public async Task The_token_of_the_call_ends_a_pending_read()
    {
        using var leaving = new CancellationTokenSource();
        await using var stream = await OpenAsync(cancellationToken: leaving.Token);
        var pending = stream.ReadAsync(new byte[1]).AsTask();

        await leaving.CancelAsync();

        await pending.LeavesWithAsync(leaving.Token);
        await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0, "the flight is over");
    }

    [Fact]
    public async Task A_failure_after_a_read_that_was_cancelled_is_not_left_unobserved()
    {
        var error = new InvalidDataException("broken");
        await Unobserved.AssertNoneAsync(
            async () =>
            {
                await using var stream = await OpenAsync();
                using var cancelled = new CancellationTokenSource();
                var read = stream.ReadAsync(new byte[1], cancelled.Token).AsTask();
                await cancelled.CancelAsync();
                await read.LeavesWithAsync(cancelled.Token);
                await _pipe.Writer.CompleteAsync(error);
                await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0, "the flight is over");
            },
            thrown => thrown == error);
    }

    [Fact]
    public async Task An_error_comes_again_from_each_later_read()
    {
        await using var stream = await OpenAsync();
        await _pipe.Writer.CompleteAsync(new InvalidDataException("broken"));

        for (var read = 0; read < 2; read++) await stream.ReadAsync(new byte[1]).AsTask().ThrowsAsync<InvalidDataException>();
    }

    [Fact]
    public async Task A_caller_that_stops_half_way_does_not_disturb_the_others()
    {
        var bytes = Enumerable.Range(0, 200_000).Select(static number => (byte)number).ToArray();
        await using var one = await OpenAsync();
        var other = await OpenAsync();
        var all = ReadAllAsync(one);
        await _pipe.Writer.WriteAsync(bytes.AsMemory(0, 100_000));
        await other.ReadExactlyAsync(new byte[50_000]).AsTask().SoonAsync();
        await other.DisposeAsync();
        await _pipe.Writer.WriteAsync(bytes.AsMemory(100_000));
        await _pipe.Writer.CompleteAsync();

        Assert.Equal(bytes, await all.SoonAsync());
    }

    [Fact]
    public async Task A_caller_that_lags_fails_alone()
    {
        var options = new StreamOptions { MaxBufferedBytes = 64 * 1024 };
        await using var fast = await OpenAsync(options);
        await using var slow = await OpenAsync(options);
        var all = ReadAllAsync(fast);
        await _pipe.Writer.WriteAsync(new byte[1_000_000]);
        await _pipe.Writer.CompleteAsync();
        Assert.Equal(1_000_000, (await all.SoonAsync()).Length);

        var lag = await slow.ReadAsync(new byte[1]).AsTask().ThrowsAsync<StreamLagException>();
        Assert.Equal(64 * 1024, lag.MaxBuffered);
    }

    [Fact]
    public async Task A_source_is_read_by_one_at_a_time_and_disposed_of_once()
    {
        var source = new WatchedStream();
        var stream = await _singleflight.ExecuteStreamAsync("key", _ => Task.FromResult<Stream>(source));
        await stream.ReadExactlyAsync(new byte[100_000]);

        await stream.DisposeAsync();

        await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0 && source.Disposals > 0, "the flight is over");
        Assert.Equal((1, false), (source.Disposals, source.HasOverlapped));
    }

    [Fact]
    public async Task A_source_that_is_null_fails_the_first_read()
    {
        await using var none = await _singleflight.ExecuteStreamAsync("none", static Task<Stream> (_) => null!);
        await using var empty = await _singleflight.ExecuteStreamAsync("empty", static _ => Task.FromResult<Stream>(null!));

        await none.ReadAsync(new byte[1]).AsTask().ThrowsAsync<InvalidOperationException>();
        await empty.ReadAsync(new byte[1]).AsTask().ThrowsAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task A_call_that_is_refused_fails_at_once()
    {
        var singleflight = new Singleflight(new SingleflightOptions { MaxInFlight = 1 });
        await using var stream = await singleflight.ExecuteStreamAsync("one", _ => Task.FromResult(_pipe.Reader.AsStream()));

        await singleflight.ExecuteStreamAsync("two", _ => Task.FromResult(_pipe.Reader.AsStream())).ThrowsAsync<FlightRejectedException>();
        await singleflight.ExecuteStreamAsync("one", _ => Task.FromResult(_pipe.Reader.AsStream()), cancellationToken: new CancellationToken(true)).ThrowsAsync<OperationCanceledException>();
        Assert.Equal(1, singleflight.GetStats().TotalSubscribers);
    }

    [Fact]
    public async Task The_stream_can_only_be_read()
    {
        await using var stream = await OpenAsync();

        Assert.Equal((true, false, false), (stream.CanRead, stream.CanSeek, stream.CanWrite));
        Assert.Throws<NotSupportedException>(() => stream.Length);
        Assert.Throws<NotSupportedException>(() => stream.Position);
        Assert.Throws<NotSupportedException>(() => stream.Position = 1);
        Assert.Throws<NotSupportedException>(() => stream.Seek(0, SeekOrigin.Begin));
        Assert.Throws<NotSupportedException>(() => stream.SetLength(0));
        Assert.Throws<NotSupportedException>(() => stream.Write(new byte[1], 0, 1));
        stream.Flush();
    }

    private static async Task<byte[]> ReadAllAsync(Stream stream)
    {
        using var read = new MemoryStream();
        await stream.CopyToAsync(read);
        return read.ToArray();
    }

    private Task<Stream> OpenAsync(StreamOptions? options = null, CancellationToken cancellationToken = default) =>
        _singleflight.ExecuteStreamAsync("key", _ => Task.FromResult(_pipe.Reader.AsStream()), options, cancellationToken);

    /// <summary>An endless stream that notes how it is used.</summary>
    private sealed class WatchedStream : Stream
    {
        private int _users;

        public int Disposals { get; private set; }

        public bool HasOverlapped { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get; set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            HasOverlapped |= Interlocked.Increment(ref _users) > 1;
            await Task.Yield();
            Interlocked.Decrement(ref _users);
            return Math.Min(buffer.Length, 1000);
        }

        public override ValueTask DisposeAsync()
        {
            HasOverlapped |= Volatile.Read(ref _users) > 0;
            Disposals++;
            return base.DisposeAsync();
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
