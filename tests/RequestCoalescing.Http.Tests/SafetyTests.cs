using System.Buffers;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.Http.Rules;
using RequestCoalescing.Http.Streams;

namespace RequestCoalescing.Http.Tests;

/// <summary>Nothing of one caller reaches another one, whatever the handlers around and the readers do.</summary>
public sealed class SafetyTests() : HandlerFixture
{
    [Fact]
    public async Task Decompression_behind_the_handler_does_not_keep_callers_apart()
    {
        using var client = Over(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.All });
        var calls = new[] { client.GetStringAsync("/"), client.GetStringAsync("/") };
        var exchange = await Origin.NextAsync();
        Assert.Contains("gzip", exchange.Headers["Accept-Encoding"], StringComparison.Ordinal);
        await exchange.RespondAsync("post", 200, ("Vary", "Accept-Encoding"));
        Assert.Equal(["post", "post"], await Task.WhenAll(calls).SoonAsync());
        Assert.Equal(1, Origin.Requests);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("max-age=60", false)]
    [InlineData("public", true)]
    [InlineData("s-maxage=60", true)]
    public async Task Credentials_that_a_handler_behind_adds_are_not_shared_unless_the_response_is_public(string? control, bool isShared)
    {
        using var client = Over(new Authenticating { InnerHandler = new SocketsHttpHandler() });
        var calls = new[] { client.GetStringAsync("/"), client.GetStringAsync("/") };
        (string, string)[] headers = control is null ? [] : [("Cache-Control", control)];
        await (await Origin.NextAsync()).RespondAsync("one", 200, headers);
        if (!isShared) await (await Origin.NextAsync()).RespondAsync("other");
        Assert.Equal(isShared ? ["one", "one"] : ["one", "other"], (await Task.WhenAll(calls).SoonAsync()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("options")]
    [InlineData("user information")]
    [InlineData("two lines")]
    public async Task A_request_with_what_the_key_cannot_contain_goes_alone(string what)
    {
        var calls = Enumerable.Range(0, 2).Select(_ =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, what == "user information" ? new UriBuilder(Origin.Address) { UserName = "alice" }.Uri : Origin.Address);
            if (what == "options") request.Options.Set(new HttpRequestOptionsKey<string>("tenant"), "a");
            if (what == "two lines") request.Headers.TryAddWithoutValidation("Cache-Control", ["no-store", "max-age=\"oops"]);
            return Client.SendAsync(request);
        }).ToArray();
        foreach (var exchange in new[] { await Origin.NextAsync(), await Origin.NextAsync() }) await exchange.RespondAsync("post");
        await Task.WhenAll(calls).SoonAsync();
    }

    [Fact]
    public async Task A_response_whose_cache_control_cannot_be_parsed_is_not_shared()
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("first", 200, ("Cache-Control", "public, max-age=60"), ("Cache-Control", "private, max-age=\"oops"));
        await (await Origin.NextAsync()).RespondAsync("second");
        Assert.Equal(["first", "second"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("text/event-stream")]
    [InlineData("Text/Event-Stream; charset=utf-8")]
    [InlineData("text/event-stream;;")]
    public async Task An_event_stream_is_not_shared(string type)
    {
        var calls = new[] { GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        await exchange.RespondAsync("data: 1\n\n", 200, ("Content-Type", type));
        await (await Origin.NextAsync()).RespondAsync("data: 2\n\n");
        Assert.Equal(["data: 1\n\n", "data: 2\n\n"], (await Task.WhenAll(calls.Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_leader_whose_response_depends_on_a_header_that_was_not_sent_goes_alone()
    {
        var call = GetAsync("/", ("X-Forwarded-Host", "tenant"));
        await (await Origin.NextAsync()).RespondAsync("default", 200, ("Vary", "X-Forwarded-Host"), ("Cache-Control", "private"));
        var own = await Origin.NextAsync();
        Assert.Equal("tenant", own.Headers["X-Forwarded-Host"]);
        await own.RespondAsync("tenant");
        Assert.Equal("tenant", await TextOf(call));
    }

    [Fact]
    public void A_secret_in_any_header_is_not_in_the_key()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "http://localhost/");
        request.Headers.Add("X-Api-Key", "s3cret");
        Assert.DoesNotContain("s3cret", new RequestHead(request, RequestHead.TargetOf(request), [], new HttpCoalescingOptions()).Key(HttpMethod.Get, null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_read_to_its_end_frees_its_buffer_without_a_disposal()
    {
        var call = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("post");
        var response = await call.SoonAsync();
        var stream = await response.Content.ReadAsStreamAsync();
        Assert.Equal("post", await new StreamReader(stream, leaveOpen: true).ReadToEndAsync().SoonAsync());
        await AllIsFreeAsync();
        Assert.Equal(0, await stream.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task A_read_that_waits_ends_when_its_stream_is_disposed_of_and_later_reads_fail()
    {
        var call = GetAsync();
        var exchange = await Origin.NextAsync();
        await exchange.BeginAsync();
        using var response = await call.SoonAsync();
        using var other = await GetAsync().SoonAsync();
        var stream = await response.Content.ReadAsStreamAsync();
        var waiting = stream.ReadAsync(new byte[10]).AsTask();
        stream.Dispose();
        await waiting.ThrowsAsync<ObjectDisposedException>();
        await exchange.WriteAsync("post");
        exchange.End();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => stream.ReadAsync(new byte[10]).AsTask());
        Assert.Equal("post", await other.Content.ReadAsStringAsync().SoonAsync());
    }

    [Fact]
    public async Task A_reader_that_is_disposed_of_while_it_copies_takes_no_part_from_a_slower_one()
    {
        var budget = new BufferBudget(1 << 20);
        var body = new SharedBody(budget, 1 << 20, TimeSpan.FromHours(1), expected: 2, Clock);
        var bytes = Enumerable.Range(0, 40_000).Select(static i => (byte)i).ToArray();
        Assert.True(body.TryJoin(isExpected: true, out var fast));
        Assert.True(body.TryJoin(isExpected: true, out var slow));
        await body.FillAsync(new MemoryStream(bytes)).SoonAsync();
        using var hooked = new Hooked(4_096, fast.Dispose);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => fast.ReadAsync(hooked.Memory, default).AsTask());
        var closing = body.CloseAsync();
        foreach (var _ in Enumerable.Range(0, 8)) ArrayPool<byte>.Shared.Rent(4_096).AsSpan().Fill(0xEE); // what would have been given back

        var read = new MemoryStream();
        var buffer = new byte[1_000];
        for (int count; (count = await slow.ReadAsync(buffer, default)) > 0;) read.Write(buffer, 0, count);
        Assert.True(bytes.AsSpan().SequenceEqual(read.ToArray()));
        await closing.SoonAsync();
        Assert.Equal(0, budget.Taken);
    }

    [Fact]
    public async Task Headers_that_arrive_after_all_callers_have_left_free_the_response()
    {
        var (isThere, arrives, isDisposed) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        using var client = Over(new Stubborn(async () =>
        {
            isThere.SetResult();
            await arrives.Task;
            return new HttpResponseMessage { Content = new StreamContent(new Watched(isDisposed)) };
        }));
        using var leaving = new CancellationTokenSource();
        var call = client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, leaving.Token);
        await isThere.Task.SoonAsync();
        await leaving.CancelAsync();
        await call.ThrowsAsync<OperationCanceledException>();
        arrives.SetResult();
        await isDisposed.Task.SoonAsync();
    }

    private HttpClient Over(HttpMessageHandler primary) =>
        new(new CoalescingHandler { InnerHandler = primary }) { BaseAddress = Origin.Address, DefaultRequestVersion = HttpVersion.Version11 };

    private sealed class Authenticating : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new("Bearer", "a");
            return base.SendAsync(request, cancellationToken);
        }
    }

    // Ignores its token.
    private sealed class Stubborn(Func<Task<HttpResponseMessage>> send) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => send();
    }

    private sealed class Watched(TaskCompletionSource isDisposed) : MemoryStream
    {
        protected override void Dispose(bool disposing)
        {
            isDisposed.TrySetResult();
            base.Dispose(disposing);
        }
    }

    // Runs an action when its bytes are about to be written.
    private sealed class Hooked(int length, Action onUse) : MemoryManager<byte>
    {
        private readonly byte[] _bytes = new byte[length];

        public override Memory<byte> Memory => CreateMemory(length);

        public override Span<byte> GetSpan()
        {
            onUse();
            return _bytes;
        }

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
