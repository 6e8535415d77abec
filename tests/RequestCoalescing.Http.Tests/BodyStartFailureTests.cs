using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RequestCoalescing.Http.Tests;

/// <summary>A body that is read before its buffer is there, and does not come to its end.</summary>
public sealed class BodyStartFailureTests : HandlerFixture
{
    private const int Buffer = 256 * 1024;

    private readonly Dictionary<string, Stream> _bodies = [];

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task A_read_that_throws_at_once_is_an_error_after_the_bytes_before_it(int before)
    {
        Use(static _ => { }, behind: () => Answers());
        _bodies["/"] = new Watched(new ScriptedStream(), throwsAfter: before);
        using var response = await GetAsync().SoonAsync();
        var body = await response.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[before]).AsTask().SoonAsync();
        await body.ReadAsync(new byte[1]).AsTask().ThrowsAsync<HttpIOException>();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_body_whose_framing_is_broken_in_its_first_packet_fails_in_the_body_and_not_before_the_headers()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var calls = Enumerable.Range(0, 2).Select(_ => GetAsync($"http://{listener.LocalEndpoint}/")).ToArray();
        using var connection = await listener.AcceptTcpClientAsync();
        await Flights.UntilSubscribersAsync(2);
        await connection.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"u8.ToArray());
        foreach (var call in calls)
        {
            using var response = await call.SoonAsync();
            await response.Content.ReadAsByteArrayAsync().ThrowsAsync<HttpRequestException>();
        }

        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_read_that_has_begun_with_the_headers_has_ended_when_the_response_is_disposed_of_because_all_have_left()
    {
        var headers = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Use(static _ => { }, behind: () => Answers(headers.Task));
        using var leaving = new CancellationTokenSource();
        var origin = new Watched(new ScriptedStream(), atRead: leaving.Cancel);
        _bodies["/"] = origin;
        var call = SendAsync(HttpMethod.Get, "/", leaving.Token);
        await Flights.UntilSubscribersAsync(1);
        headers.SetResult();
        await call.ThrowsAsync<OperationCanceledException>();
        await UntilAsync(origin.WasReadWhenDisposed, "the response is disposed of"); // the body may wait for the caller that has left
        Assert.False(await origin.WasReadWhenDisposed);
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_read_that_has_begun_with_the_headers_has_ended_when_the_response_is_disposed_of_because_its_reader_has_left_a_full_buffer()
    {
        var origin = new Watched(new ScriptedStream());
        _bodies["/late"] = origin;
        var others = await FillTheBufferAsync();
        var late = await GetAsync("/late").SoonAsync();
        late.Dispose();
        Assert.False(await origin.WasReadWhenDisposed.SoonAsync());
        foreach (var other in others) other.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_read_that_has_begun_with_the_headers_has_ended_when_the_response_is_disposed_of_because_there_was_no_room()
    {
        var origin = new Watched(new ScriptedStream());
        _bodies["/late"] = origin;
        var others = await FillTheBufferAsync();
        using var late = await GetAsync("/late").SoonAsync();
        var reading = late.Content.ReadAsByteArrayAsync();
        await UntilAsync(reading, "the late body has waited for too long");
        await reading.ThrowsAsync<HttpRequestException>();
        Assert.False(await origin.WasReadWhenDisposed.SoonAsync());
        foreach (var other in others) other.Dispose();
        await AllIsFreeAsync();
    }

    [Fact]
    public async Task A_reader_that_leaves_a_full_buffer_takes_no_bytes_of_the_next_response_of_its_connection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var others = await FillTheBufferAsync();
        var call = GetAsync($"http://{listener.LocalEndpoint}/late");
        using var connection = await listener.AcceptTcpClientAsync();
        var stream = connection.GetStream();
        Assert.True(await ReadHeadAsync(stream));
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"u8.ToArray());
        (await call.SoonAsync()).Dispose();
        await Patience.UntilAsync(() => Coalescer.Streaming == others.Length, "the response is disposed of");
        await stream.WriteAsync("late"u8.ToArray());
        foreach (var other in others) other.Dispose();
        await AllIsFreeAsync();

        var next = GetAsync($"http://{listener.LocalEndpoint}/next");
        using var another = await ReadHeadAsync(stream) ? null : await listener.AcceptTcpClientAsync().SoonAsync(); // the connection is used again, or has been closed
        var answering = another?.GetStream() ?? stream;
        if (another is not null) Assert.True(await ReadHeadAsync(answering));
        await answering.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"u8.ToArray());
        Assert.Equal("next", await TextOf(next));
    }

    // Returns false if the connection ends first.
    private static async Task<bool> ReadHeadAsync(NetworkStream stream)
    {
        var (text, buffer) = ("", new byte[4096]);
        while (!text.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            var count = await stream.ReadAsync(buffer).AsTask().SoonAsync();
            if (count == 0) return false;
            text += Encoding.ASCII.GetString(buffer, 0, count);
        }

        return true;
    }

    // With parts of 4 and of 32 KiB.
    private async Task<HttpResponseMessage[]> FillTheBufferAsync()
    {
        Use(static options => (options.MaxBufferedBytes, options.MaxTotalBufferedBytes) = (Buffer, Buffer), behind: () => Answers());
        var others = new HttpResponseMessage[8];
        for (var i = 0; i < others.Length; i++)
        {
            var body = new ScriptedStream();
            body.Add(i == 0 ? 1_000 : 20_000);
            _bodies[$"/{i}"] = body;
            others[i] = await GetAsync($"/{i}").SoonAsync();
        }

        await Patience.UntilAsync(() => Coalescer.BufferedBytes == Buffer, "the buffer is full");
        return others;
    }

    private Answering Answers(Task? headers = null) => new(request => _bodies.TryGetValue(request.RequestUri!.AbsolutePath, out var body) ? AnswerAsync(request, body, headers) : null);

    private static async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, Stream body, Task? headers)
    {
        if (headers is not null) await headers;
        return new HttpResponseMessage { Content = new StreamContent(body), RequestMessage = request };
    }

    // The clock goes on in small steps, so that the bodies that were there before do not run out of time, too.
    private Task UntilAsync(Task end, string description) => Patience.UntilAsync(
        () =>
        {
            Clock.Advance(TimeSpan.FromSeconds(1));
            return end.IsCompleted;
        },
        description);

    private sealed class Watched(ScriptedStream body, Action? atRead = null, int? throwsAfter = null) : MemoryStream
    {
        private readonly TaskCompletionSource<bool> _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = throwsAfter ?? 0;
        private int _reads;

        public Task<bool> WasReadWhenDisposed => _disposed.Task;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (throwsAfter is null) return ReadBodyAsync(buffer, cancellationToken);
            var count = Math.Min(_left, buffer.Length);
            if (count == 0) throw new IOException("broken off");
            _left -= count;
            return new(count);
        }

        protected override void Dispose(bool disposing)
        {
            _disposed.TrySetResult(Volatile.Read(ref _reads) > 0);
            base.Dispose(disposing);
        }

        private async ValueTask<int> ReadBodyAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            try
            {
                atRead?.Invoke();
                return await body.ReadAsync(buffer, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _reads);
            }
        }
    }
}
