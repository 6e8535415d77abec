using System.IO.Pipelines;
using System.Security.Cryptography;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>Streams of bytes: one run of the source, and each caller reads them as a stream.</summary>
public sealed class ByteStreamTests
{
    private readonly Singleflight _singleflight = new();

    [Fact]
    public async Task Callers_read_the_same_bytes_out_of_one_run()
    {
        var bytes = RandomNumberGenerator.GetBytes(3_000_000);
        var pipe = new Pipe();
        var runs = 0;
        var callers = new List<Task<byte[]>>();
        for (var caller = 0; caller < 20; caller++) callers.Add(ReadAllAsync(await OpenAsync(), 1000 + (caller * 977)));
        for (var sent = 0; sent < bytes.Length;)
        {
            var count = Math.Min(77_777, bytes.Length - sent);
            await pipe.Writer.WriteAsync(bytes.AsMemory(sent, count));
            sent += count;
        }

        await pipe.Writer.CompleteAsync();

        Assert.All(await Task.WhenAll(callers).SoonAsync(), read => Assert.Equal(bytes, read));
        Assert.Equal(1, runs);

        Task<Stream> OpenAsync() => _singleflight.ExecuteStreamAsync("key", _ =>
        {
            runs++;
            return Task.FromResult(pipe.Reader.AsStream());
        });
    }

    [Fact]
    public async Task An_error_of_the_source_reaches_the_reader_after_the_bytes_before_it()
    {
        var pipe = new Pipe();
        await using var stream = await _singleflight.ExecuteStreamAsync("key", _ => Task.FromResult(pipe.Reader.AsStream()));
        await pipe.Writer.WriteAsync("hello"u8.ToArray());
        var read = new byte[5];
        await stream.ReadExactlyAsync(read).AsTask().SoonAsync();
        await pipe.Writer.CompleteAsync(new InvalidDataException("broken"));

        Assert.Equal("hello"u8.ToArray(), read);
        await stream.ReadAsync(read).AsTask().ThrowsAsync<InvalidDataException>();
    }

    [Fact]
    public async Task A_source_that_cannot_be_opened_fails_the_first_read()
    {
        var error = new FileNotFoundException("No such file.");
        await using var stream = await _singleflight.ExecuteStreamAsync("key", Task<Stream> (_) => throw error);

        Assert.Same(error, await stream.ReadAsync(new byte[1]).AsTask().ThrowsAsync<FileNotFoundException>());
    }

    [Fact]
    public async Task A_read_that_is_cancelled_loses_no_byte_and_leaves_the_caller_in_the_flight()
    {
        var pipe = new Pipe();
        await using var stream = await _singleflight.ExecuteStreamAsync("key", _ => Task.FromResult(pipe.Reader.AsStream()));
        using var cancelled = new CancellationTokenSource();
        var read = stream.ReadAsync(new byte[1], cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await read.LeavesWithAsync(cancelled.Token);

        await pipe.Writer.WriteAsync(new byte[] { 42 });

        var buffer = new byte[2];
        Assert.Equal(1, await stream.ReadAsync(buffer).AsTask().SoonAsync());
        Assert.Equal(42, buffer[0]);
        Assert.Equal(1, _singleflight.GetStats().TotalSubscribers);
    }

    [Fact]
    public async Task A_caller_that_disposes_of_its_stream_leaves()
    {
        var pipe = new Pipe();
        var stream = await _singleflight.ExecuteStreamAsync("key", _ => Task.FromResult(pipe.Reader.AsStream()));
        Assert.Equal(1, _singleflight.GetStats().InFlightCount);

        await stream.DisposeAsync();

        await Patience.UntilAsync(() => _singleflight.GetStats().InFlightCount == 0, "the flight is over");
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task A_large_stream_frees_what_all_have_read()
    {
        const int Size = 8 * 1024 * 1024;
        var options = new StreamOptions { MaxBufferedBytes = 256 * 1024, Backpressure = StreamBackpressure.SlowestReader };
        await using var fast = await OpenAsync();
        await using var slow = await OpenAsync();
        Assert.Equal(2, _singleflight.GetStats().TotalSubscribers);

        var reads = await Task.WhenAll(ReadAllAsync(fast, 50_000), ReadAllAsync(slow, 1000)).SoonAsync();

        Assert.Equal(Digest(Source(Size)), Digest(new MemoryStream(reads[0])));
        Assert.Equal(reads[0], reads[1]);

        Task<Stream> OpenAsync() => _singleflight.ExecuteStreamAsync("key", async flight =>
        {
            await Patience.UntilAsync(() => _singleflight.GetStats().TotalSubscribers == 2, "both callers have joined");
            return Source(Size);
        }, options);
    }

    private static MemoryStream Source(int size)
    {
        var bytes = new byte[size];
        new Random(1).NextBytes(bytes);
        return new MemoryStream(bytes);
    }

    private static string Digest(Stream stream) => Convert.ToHexString(SHA256.HashData(stream));

    private static async Task<byte[]> ReadAllAsync(Stream stream, int step)
    {
        await using var _ = stream;
        using var read = new MemoryStream();
        await stream.CopyToAsync(read, step);
        return read.ToArray();
    }
}
