using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace RequestCoalescing.Benchmarks.Http;

/// <summary>A server in front of the origin, as a process of its own, or the origin itself.</summary>
internal sealed class Server : IAsyncDisposable
{
    private static readonly string[] s_folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

    private readonly Process? _process;
    private readonly string? _folder;

    private Server(string name, int port, Process? process, string? folder) => (Name, Port, _process, _folder) = (name, port, process, folder);

    public string Name { get; }

    public int Port { get; }

    /// <summary>The most memory that the process has had, in MiB.</summary>
    public long PeakMemory
    {
        get
        {
            if (_process is null) return 0;
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.AsSpan(6).Trim()[..^3], CultureInfo.InvariantCulture) / 1024;
        }
    }

    public static Server Bare(int origin) => new("the origin itself", origin, null, null);

    public static Task<Server> YarpAsync(int origin) => DotNetAsync("YARP", origin, metadata: "");

    public static Task<Server> CoalescingAsync(int origin) => DotNetAsync("singleflight-proxy", origin, metadata: """, "Metadata": { "RequestCoalescing": "default" }""");

    /// <summary>Returns null if nginx is not installed.</summary>
    public static async Task<Server?> NginxAsync(int origin)
    {
        if (Find("nginx") is not { } program) return null;
        var (folder, port) = (Directory.CreateTempSubdirectory("nginx").FullName, FreePort());
        var configuration = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            daemon off; pid {{folder}}/pid; error_log {{folder}}/error.log; worker_processes 1; worker_rlimit_nofile 30000;
            {{(Environment.UserName == "root" ? "user root;" : "")}}
            events { worker_connections 20000; }
            http {
              access_log off; client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              proxy_cache_path {{folder}}/cache keys_zone=pages:10m max_size=2g;
              upstream origin { server 127.0.0.1:{{origin}}; keepalive 256; }
              server {
                listen 127.0.0.1:{{port}} backlog=8192;
                location / {
                  proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_cache pages; proxy_cache_lock on; proxy_cache_lock_timeout 60s;
                }
              }
            }
            """);
        return await StartAsync("nginx, proxy_cache_lock", program, ["-c", configuration, "-e", Path.Combine(folder, "error.log")], port, folder);
    }

    /// <summary>Returns null if Varnish is not installed.</summary>
    public static async Task<Server?> VarnishAsync(int origin)
    {
        if (Find("varnishd") is not { } program) return null;
        var (folder, port) = (Directory.CreateTempSubdirectory("varnish").FullName, FreePort());
        return await StartAsync(
            "Varnish",
            program,
            ["-j", "none", "-F", "-n", folder, "-a", $"127.0.0.1:{port}", "-b", $"127.0.0.1:{origin}", "-s", "malloc,512m", "-p", "listen_depth=8192", "-p", "thread_pool_max=8000", "-p", "thread_pool_min=200", "-p", "thread_queue_limit=8000", "-p", "workspace_backend=64k"],
            port,
            folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        if (_folder is not null) Directory.Delete(_folder, recursive: true);
    }

    private static async Task<Server> DotNetAsync(string name, int origin, string metadata)
    {
        var (folder, port) = (Directory.CreateTempSubdirectory("proxy").FullName, FreePort());
        var configuration = Path.Combine(folder, "proxy.json");
        await File.WriteAllTextAsync(configuration, $$"""
            { "ReverseProxy": {
                "Routes": { "all": { "ClusterId": "origin", "Match": { "Path": "{**all}" }{{metadata}} } },
                "Clusters": { "origin": { "Destinations": { "one": { "Address": "http://127.0.0.1:{{origin}}" } } } } },
              "Singleflight": { "proxy": { "MaxDuration": "00:01:00" } } }
            """);
        return await StartAsync(name, "dotnet", [Path.Combine(AppContext.BaseDirectory, "RequestCoalescing.Proxy.dll"), "--listen", $"http://127.0.0.1:{port}", "--config", configuration], port, folder);
    }

    private static async Task<Server> StartAsync(string name, string program, string[] arguments, int port, string folder)
    {
        var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return new Server(name, port, process, folder);
            }
            catch (SocketException) when (!process.HasExited && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(50);
            }
        }
    }

    private static string? Find(string program) =>
        s_folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
