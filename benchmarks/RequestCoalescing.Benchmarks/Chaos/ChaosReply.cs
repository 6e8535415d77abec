using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>One answer of the origin: what it says, and what it does wrong.</summary>
internal sealed partial class ChaosReply
{
    private static readonly ChaosFault[] s_faults = Enum.GetValues<ChaosFault>();
    private static readonly string[] s_lone = ["Cache-Control: private", "Cache-Control: no-store", "Set-Cookie: session=1", "Vary: *", "Cache-Control: private, max-age=60\r\nVary: Accept"];

    public ChaosReply(string head, long serial, Random random)
    {
        Random = random;
        var lines = head.Split("\r\n");
        var path = lines[0].Split(' ')[1];
        var parts = path.Split('/');
        var kind = parts[1];
        var size = ChaosContent.Sizes[int.Parse(parts[2], CultureInfo.InvariantCulture)];
        var user = UserOf(lines, kind);
        Seed = ChaosContent.SeedOf(path, serial, user);
        HasBody = !lines[0].StartsWith("HEAD ", StringComparison.Ordinal);
        Fault = random.Next(2) == 0 ? ChaosFault.None : s_faults[random.Next(s_faults.Length)];
        var isPart = ValueOf(lines, "Range") is not null && size > 2;
        Offset = isPart ? size / 3 : 0;
        Length = isPart ? size / 3 : size;
        if (Length < 2 && (Breaks || Fault == ChaosFault.AnnouncesLess)) Fault = ChaosFault.None;
        IsChunked = Fault is ChaosFault.EndsWithinChunk or ChaosFault.BreaksChunk || (Fault is not (ChaosFault.AnnouncesMore or ChaosFault.AnnouncesLess) && random.Next(3) == 0);

        // An end of the connection that ends the body must be the true end.
        var endsBody = !IsChunked && Fault is ChaosFault.None or ChaosFault.Drips && random.Next(5) == 0 && HasBody;
        IsChunked &= !endsBody;
        Closes = endsBody || Fault == ChaosFault.AnnouncesMore || random.Next(20) == 0;
        var announced = Fault switch
        {
            ChaosFault.AnnouncesMore => Length + random.Next(1, 1_000),
            ChaosFault.AnnouncesLess => random.Next(Length),
            _ => Length,
        };
        var status = isPart ? "206 Partial Content" : kind == "error" ? "500 Internal Server Error" : "200 OK";
        var text = new StringBuilder(random.Next(10) == 0 ? "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" : "")
            .Append("HTTP/1.1 ").Append(status).Append("\r\n")
            .Append(CultureInfo.InvariantCulture, $"X-Path: {path}\r\nX-Serial: {serial}\r\nX-User-Seen: {user}\r\nX-Size: {announced}\r\nETag: \"{kind}-{parts[2]}\"\r\n")
            .Append(kind switch
            {
                "private" => s_lone[random.Next(s_lone.Length)] + "\r\n",
                "vary" => "Cache-Control: public, max-age=60\r\nVary: X-Request-Id\r\n",
                _ => "Cache-Control: public, max-age=60\r\n",
            });
        if (isPart) text.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {Offset}-{Offset + Length - 1}/{size}\r\n");
        if (IsChunked) text.Append("Transfer-Encoding: chunked\r\n");
        else if (!endsBody) text.Append(CultureInfo.InvariantCulture, $"Content-Length: {announced}\r\n");
        if (Closes) text.Append("Connection: close\r\n");
        Headers = text.Append("\r\n").ToString();
    }

    public Random Random { get; }

    public ChaosFault Fault { get; }

    public string Headers { get; }

    public ulong Seed { get; }

    /// <summary>The place of the body within the content.</summary>
    public int Offset { get; }

    /// <summary>The bytes that the origin has.</summary>
    public int Length { get; }

    public bool HasBody { get; }

    public bool IsChunked { get; }

    public bool Closes { get; }

    /// <summary>Whether the body breaks off.</summary>
    public bool Breaks => Fault is ChaosFault.Truncates or ChaosFault.Resets or ChaosFault.EndsWithinChunk or ChaosFault.BreaksChunk;

    // A user is named by credentials, by a header of the key, or by one that the response says that it varies by.
    private static string UserOf(string[] lines, string kind)
    {
        var named = ValueOf(lines, "Cookie") ?? ValueOf(lines, "Authorization") ?? ValueOf(lines, "X-User") ?? (kind == "vary" ? ValueOf(lines, "X-Request-Id") : null);
        return named is not null && User().Match(named) is { Success: true } match ? match.Value : "nobody";
    }

    private static string? ValueOf(string[] lines, string name) =>
        Array.Find(lines, line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();

    [GeneratedRegex("u[0-9]+")]
    private static partial Regex User();
}
