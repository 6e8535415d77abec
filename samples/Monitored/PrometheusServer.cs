using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Monitored;

/// <summary>A Prometheus with its own folder. It scrapes the app every second and evaluates the rules of <c>ops/</c>.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;
    private readonly HttpClient _client;

    private PrometheusServer(Process process, string folder, Uri address)
    {
        (_process, _folder) = (process, folder);
        _client = new HttpClient { BaseAddress = address };
    }

    public Uri Address => _client.BaseAddress!;

    /// <summary>Returns the path of Prometheus. Null if it is not installed.</summary>
    public static string? Find() => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "prometheus.exe" : "prometheus"))
        .FirstOrDefault(File.Exists);

    public static async Task<PrometheusServer> StartAsync(string executable, Uri target, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("monitored-").FullName;
        var rules = Path.Combine(AppContext.BaseDirectory, "singleflight.rules.yml");
        await File.WriteAllTextAsync(
            Path.Combine(folder, "prometheus.yml"),
            $"""
            global:
              scrape_interval: 1s
              evaluation_interval: 1s
            rule_files: ['{rules}']
            scrape_configs:
              - job_name: monitored
                static_configs:
                  - targets: ['{target.Authority}']
            """,
            cancellationToken);

        var port = FreePort();
        var start = new ProcessStartInfo(executable) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in new[] { $"--config.file={folder}/prometheus.yml", $"--storage.tsdb.path={folder}/data", $"--web.listen-address=127.0.0.1:{port}" })
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.OutputDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var server = new PrometheusServer(process, folder, new Uri($"http://127.0.0.1:{port}/"));
        while (!await server.IsReadyAsync(cancellationToken))
        {
            if (process.HasExited) throw new InvalidOperationException($"{executable} ended with exit code {process.ExitCode}.");
            await Task.Delay(100, cancellationToken);
        }

        return server;
    }

    /// <summary>Returns the value of an expression. Null if there is none.</summary>
    public async Task<double?> QueryAsync(string expression, CancellationToken cancellationToken)
    {
        var answer = await ReadAsync($"api/v1/query?query={Uri.EscapeDataString(expression)}", cancellationToken);
        var result = answer.GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? null : double.Parse(result[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
    }

    /// <summary>Returns the summary of the alert if it fires. Null otherwise.</summary>
    public async Task<string?> FiringAsync(string alert, CancellationToken cancellationToken)
    {
        var answer = await ReadAsync("api/v1/alerts", cancellationToken);
        return answer.GetProperty("data").GetProperty("alerts").EnumerateArray()
            .Where(one => one.GetProperty("labels").GetProperty("alertname").GetString() == alert && one.GetProperty("state").GetString() == "firing")
            .Select(one => one.GetProperty("annotations").GetProperty("summary").GetString())
            .FirstOrDefault();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _client.GetAsync("-/ready", cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<JsonElement> ReadAsync(string path, CancellationToken cancellationToken)
    {
        using var json = JsonDocument.Parse(await _client.GetStringAsync(path, cancellationToken));
        return json.RootElement.Clone();
    }
}
