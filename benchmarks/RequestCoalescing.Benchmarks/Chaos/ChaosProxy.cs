using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Benchmarks.Chaos;

/// <summary>The proxy, as a process of its own. What it holds is read from its metrics.</summary>
internal sealed partial class ChaosProxy : IAsyncDisposable
{
    public const long MaxBuffered = 8 * 1024 * 1024;

    private readonly Process _process;
    private readonly string _folder;
    private readonly HttpClient _operator;

    private ChaosProxy(Process process, string folder, Version version, Uri address, Uri admin)
    {
        (_process, _folder, Version, Address) = (process, folder, version, address);
        _operator = new HttpClient { BaseAddress = admin, DefaultRequestVersion = version, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
    }

    public Version Version { get; }

    public Uri Address { get; }

    /// <summary>The memory that the process has now, and the most that it has had, in MiB. 0 where the system does not tell.</summary>
    public (long Now, long Most) Memory => (StatusOf("VmRSS:"), StatusOf("VmHWM:"));

    /// <param name="origin">The port of the origin.</param>
    /// <param name="version">The version of HTTP that its clients speak, without TLS.</param>
    public static async Task<ChaosProxy> StartAsync(int origin, Version version)
    {
        var folder = Directory.CreateTempSubdirectory("chaos").FullName;
        var configuration = Path.Combine(folder, "proxy.json");
        await File.WriteAllTextAsync(configuration, $$"""
            { "Kestrel": { "EndpointDefaults": { "Protocols": "{{(version.Major == 2 ? "Http2" : "Http1")}}" } },
              "ReverseProxy": {
                "Routes": { "all": { "ClusterId": "origin", "Match": { "Path": "{**all}" }, "Metadata": { "RequestCoalescing": "default" } } },
                "Clusters": { "origin": { "HttpRequest": { "ActivityTimeout": "00:00:02" }, "Destinations": { "one": { "Address": "http://127.0.0.1:{{origin}}" } } } } },
              "Singleflight": { "proxy": { "MaxDuration": "00:00:01", "Http": {
                "MaxBodyIdle": "00:00:02", "NotSharedDuration": "00:00:01", "MaxBufferedBytes": 1048576, "MaxTotalBufferedBytes": {{MaxBuffered}} } } } }
            """);
        var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "RequestCoalescing.Proxy.dll"), "--listen", "http://127.0.0.1:0", "--admin", "http://127.0.0.1:0", "--config", configuration])
        {
            RedirectStandardOutput = true,
        })!;
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The proxy has not started.");
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null); // a pipe that nobody reads would stop the logger, and the proxy with it
        var addresses = Url().Matches(line);
        return new ChaosProxy(process, folder, version, new Uri(addresses[0].Value), new Uri(addresses[^1].Value));
    }

    /// <summary>Reads what the proxy holds now.</summary>
    public async Task<(long Flights, long Subscribers, long Bodies, long Buffered, long Connections)> ReadAsync()
    {
        var text = await _operator.GetStringAsync(new Uri("metrics", UriKind.Relative));
        return (Sum("singleflight_in_flight"), Sum("singleflight_subscribers"), Sum("singleflight_http_bodies"), Sum("singleflight_http_buffered_bytes"), Sum("kestrel_active_connections", $"server_port=\"{Address.Port}\""));

        long Sum(string name, string label = "") => text.Split('\n')
            .Where(line => line.StartsWith(name + "{", StringComparison.Ordinal) && line.Contains(label, StringComparison.Ordinal))
            .Sum(static line => (long)double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) + 2)..].Split(' ')[0], CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private long StatusOf(string name) => File.Exists($"/proc/{_process.Id}/status")
        ? long.Parse(File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith(name, StringComparison.Ordinal)).AsSpan(name.Length).Trim()[..^3], CultureInfo.InvariantCulture) / 1024
        : 0;

    [GeneratedRegex("http://127.0.0.1:[0-9]+")]
    private static partial Regex Url();
}
