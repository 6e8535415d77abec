using CsCheck;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http.Tests;

/// <summary>What has come with the headers is read at once. A body that is whole then needs no buffer.</summary>
public sealed class BodyStartTests : HandlerFixture
{
    private const int First = 4 * 1024;
    private const int Most = 16 * 1024;

    private readonly ScriptedStream _origin = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(First)]
    [InlineData(Most - 1)]
    public void A_short_body_is_whole(int length)
    {
        _origin.Add(length);
        _origin.End(failure: null);
        Assert.Equal(Bytes(length), new BodyStart(_origin).TryReadWhole());
    }

    [Theory]
    [InlineData(Most)]
    [InlineData(Most * 4)]
    public void A_longer_body_is_not_read_ahead(int length)
    {
        _origin.Add(length);
        _origin.End(failure: null);
        Assert.Null(new BodyStart(_origin).TryReadWhole());
        Assert.Equal(Most, _origin.State.Given);
    }

    [Fact]
    public void A_body_that_is_not_whole_gives_all_its_bytes_and_then_its_end_or_its_error()
    {
        var lengths = Gen.OneOf(Gen.Int[0, 3], Gen.Int[0, 40_000]);
        Gen.Select(lengths, lengths.Array[0, 4], Gen.Int[1, 30_000], Gen.Bool).Sample(
            (before, later, size, fails) =>
            {
                var origin = new ScriptedStream();
                origin.Add(before);
                var start = new BodyStart(origin);
                Assert.Null(start.TryReadWhole());
                var all = ReadAsync(start, size);
                foreach (var length in later) origin.Add(length);
                var failure = fails ? new IOException("broken off") : null;
                origin.End(failure);
                var (bytes, error) = all.SoonAsync().GetAwaiter().GetResult();
                Assert.Equal(Bytes(before + later.Sum()), bytes);
                Assert.Same(failure, error);
            },
            iter: 500,
            threads: 1); // each sample waits for the thread pool
    }

    [Fact]
    public async Task An_error_that_is_there_at_once_comes_after_the_bytes_before_it()
    {
        var failure = new IOException("broken off");
        _origin.Add(10);
        _origin.End(failure);
        var start = new BodyStart(_origin);
        Assert.Null(start.TryReadWhole());
        var (bytes, error) = await ReadAsync(start, 4).SoonAsync();
        Assert.Equal(Bytes(10), bytes);
        Assert.Same(failure, error);
    }

    [Fact]
    public async Task A_read_that_has_begun_with_the_headers_ends_when_its_reader_stops()
    {
        var start = new BodyStart(_origin);
        Assert.Null(start.TryReadWhole());
        using var stop = new CancellationTokenSource();
        var read = start.ReadAsync(new byte[10], stop.Token).AsTask();
        Assert.True(_origin.State.IsAwaited);
        Assert.False(read.IsCompleted);
        await stop.CancelAsync();
        await read.ThrowsAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Callers_of_a_short_body_get_bytes_of_their_own_without_a_buffer()
    {
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        Use(static _ => { }, behind: () => new Answering(_ => answer.Task));
        var calls = new[] { GetAsync(), GetAsync() };
        await Flights.UntilSubscribersAsync(2);
        _origin.Add(100);
        _origin.End(failure: null);
        var response = new HttpResponseMessage { Content = new StreamContent(_origin) };
        response.TrailingHeaders.Add("X-Sum", "42");
        answer.SetResult(response);
        foreach (var call in calls)
        {
            using var one = await call.SoonAsync();
            Assert.Equal((0L, 0), (Coalescer.BufferedBytes, Coalescer.Streaming));
            Assert.Equal("42", one.TrailingHeaders.GetValues("X-Sum").Single());
            var bytes = await one.Content.ReadAsByteArrayAsync();
            Assert.Equal(Bytes(100), bytes);
            Array.Clear(bytes); // the other caller does not see this
        }

        await AllIsFreeAsync();
    }

    private static byte[] Bytes(int length) => [.. Enumerable.Range(0, length).Select(static place => ScriptedStream.ByteAt(place))];

    private static async Task<(byte[] Bytes, Exception? Error)> ReadAsync(BodyStart start, int size)
    {
        var (all, buffer) = (new MemoryStream(), new byte[size]);
        try
        {
            for (var count = -1; count != 0; all.Write(buffer, 0, count)) count = await start.ReadAsync(buffer);
        }
        catch (IOException error)
        {
            return (all.ToArray(), error);
        }

        return (all.ToArray(), null);
    }
}
