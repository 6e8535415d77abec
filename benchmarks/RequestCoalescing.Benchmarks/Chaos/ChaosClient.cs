using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>
/// A client that sends one request after the other, at random: as one of some users or as nobody, for a whole or a part, with conditions, as HEAD. It leaves, reads slowly or stalls. It checks
/// each byte.
/// </summary>
internal sealed class ChaosClient(ChaosProxy[] proxies, ChaosLedger ledger, int seed) : IDisposable
{
    private static readonly string[] s_kinds = ["public", "public", "public", "public", "private", "vary", "error"];

    private readonly Random _random = new(seed);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseCookies = false, EnableMultipleHttp2Connections = true, MaxConnectionsPerServer = 10 }) { Timeout = Timeout.InfiniteTimeSpan };

    public async Task RunAsync(Func<TimeSpan> elapsed, Func<bool> isOver)
    {
        while (!isOver())
        {
            var proxy = proxies[_random.Next(proxies.Length)];
            if (_random.Next(40) == 0) await SendNonsenseAsync(proxy);
            else await SendAsync(proxy, TargetAt((int)elapsed().TotalSeconds / 2));
        }
    }

    public void Dispose() => _http.Dispose();

    // Most clients want the target that everybody wants now.
    private string TargetAt(int time)
    {
        var wanted = _random.Next(3) > 0 ? new Random(time) : _random;
        return $"/{s_kinds[wanted.Next(s_kinds.Length)]}/{wanted.Next(ChaosContent.Sizes.Length)}/{time}";
    }

    private async Task SendAsync(ChaosProxy proxy, string path)
    {
        using var request = new HttpRequestMessage(_random.Next(10) == 0 ? HttpMethod.Head : HttpMethod.Get, new Uri(proxy.Address, path))
        {
            Version = proxy.Version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var (user, isAlone) = Name(request, path);
        if (_random.Next(20) == 0)
        {
            request.Headers.TryAddWithoutValidation("Range", "bytes=1-2");
            isAlone = true;
        }

        var tag = _random.Next(10) == 0 ? $"\"{string.Join('-', path.Split('/')[1..3])}\"" : _random.Next(10) == 0 ? "\"other\"" : null;
        if (tag is not null) request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        if (_random.Next(20) == 0)
        {
            request.Headers.TryAddWithoutValidation("Cache-Control", "no-cache");
            isAlone = true;
        }

        using var leaving = new CancellationTokenSource();
        var leaves = _random.Next(5) == 0;
        if (leaves) leaving.CancelAfter(_random.Next(400));
        var exchange = SendAsync(request, path, user, isAlone || path.StartsWith("/private", StringComparison.Ordinal), tag, leaving.Token);
        try
        {
            ledger.Count(await exchange.WaitAsync(TimeSpan.FromMinutes(2)));
        }
        catch (TimeoutException)
        {
            ledger.Violate($"A request has no outcome after two minutes: {Describe(request)}");
        }
        catch (OperationCanceledException) when (leaves)
        {
            ledger.Count("left");
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            ledger.Count(leaves && leaving.IsCancellationRequested ? "left" : "broken off");
        }
    }

    // Returns the user that the origin must see, and whether the request says that its response is for this client alone.
    private (string User, bool IsAlone) Name(HttpRequestMessage request, string path)
    {
        var user = $"u{_random.Next(20)}";
        switch (_random.Next(8))
        {
            case 0:
                request.Headers.TryAddWithoutValidation("Cookie", $"session={user}");
                return (user, true);
            case 1:
                request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {user}");
                return (user, true);
            case 2:
                request.Headers.TryAddWithoutValidation("X-User", user);
                return (user, false);
            case 3:
                request.Headers.TryAddWithoutValidation("X-Request-Id", user); // does not keep requests apart, unless the response varies by it
                return (path.StartsWith("/vary", StringComparison.Ordinal) ? user : "nobody", false);
            default:
                request.Headers.TryAddWithoutValidation("User-Agent", user);
                return ("nobody", false);
        }
    }

    private async Task<string> SendAsync(HttpRequestMessage request, string path, string user, bool isAlone, string? tag, CancellationToken token)
    {
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
        if (response.StatusCode == HttpStatusCode.NotModified)
        {
            if (tag is null || response.Headers.ETag?.Tag != tag) ledger.Violate($"304, which was not asked for: {Describe(request)}");
            return "304";
        }

        if (ValueOf(response, "X-Serial") is not { } number)
        {
            if (response.StatusCode is not (HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout)) ledger.Violate($"{(int)response.StatusCode}, which is not the origin's: {Describe(request)}");
            return response.StatusCode == HttpStatusCode.BadGateway ? "502" : "504";
        }

        var serial = long.Parse(number, CultureInfo.InvariantCulture);
        if (ValueOf(response, "X-Path") != path) ledger.Violate($"The response of {ValueOf(response, "X-Path")}: {Describe(request)}");
        if (ValueOf(response, "X-User-Seen") != user) ledger.Violate($"The response of {ValueOf(response, "X-User-Seen")} for {user}: {Describe(request)}");
        if (isAlone) ledger.TakeLone(serial, Describe(request));
        var isShared = ValueOf(response, "Cache-Status") is not null;
        if (isShared && isAlone) ledger.Violate($"It is shared: {Describe(request)}");
        var expected = request.Method == HttpMethod.Head ? 0 : long.Parse(ValueOf(response, "X-Size")!, CultureInfo.InvariantCulture);
        await CheckAsync(response, ChaosContent.SeedOf(path, serial, user), response.Content.Headers.ContentRange?.From ?? 0, expected, Describe(request), token);
        return isShared ? "whole, shared" : "whole";
    }

    // Each byte that arrives is right, and a body that ends is whole.
    private async Task CheckAsync(HttpResponseMessage response, ulong seed, long offset, long expected, string request, CancellationToken token)
    {
        await using var body = await response.Content.ReadAsStreamAsync(token);
        var (buffer, right) = (new byte[1 + (expected / 200) + _random.Next(50_000)], new byte[70_000]);
        var (isSlow, stallAt) = (_random.Next(10) == 0, _random.Next(10) == 0 ? _random.NextInt64(expected + 1) : long.MaxValue);
        for (var read = 0L; ;)
        {
            if (isSlow) await Task.Delay(_random.Next(10), token);
            if (read >= stallAt)
            {
                stallAt = long.MaxValue;
                await Task.Delay(_random.Next(1_500), token);
            }

            var count = await body.ReadAsync(buffer, token);
            if (count == 0)
            {
                if (read != expected) ledger.Violate($"A body of {read} bytes looks whole, and {expected} are: {request}");
                return;
            }

            ChaosContent.Fill(seed, offset + read, right.AsSpan(0, count));
            if (!buffer.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count))) ledger.Violate($"Wrong bytes after {read}: {request}");
            read += count;
        }
    }

    // No request at all, half of one, or one without an end.
    private async Task SendNonsenseAsync(ChaosProxy proxy)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, proxy.Address.Port);
            var bytes = new byte[_random.Next(2_000)];
            _random.NextBytes(bytes);
            if (_random.Next(2) == 0) bytes = [.. "GET /public/3/0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"u8];
            await socket.SendAsync(bytes);
            if (_random.Next(2) == 0) socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (SocketException)
        {
            // The proxy has closed the connection.
        }

        ledger.Count("nonsense");
    }

    private static string Describe(HttpRequestMessage request) => $"{request.Method} {request.RequestUri} over HTTP/{request.Version}, {request.Headers.ToString().ReplaceLineEndings(" ")}";

    private static string? ValueOf(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? values.Single() : null;
}
