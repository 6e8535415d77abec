using System.Diagnostics;

namespace Proxy;

/// <summary>The proxy, as a process of its own.</summary>
internal sealed class ProxyProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ProxyProcess(Process process, Uri address) => (_process, Address) = (process, address);

    public Uri Address { get; }

    /// <exception cref="InvalidOperationException">The proxy does not start.</exception>
    public static async Task<ProxyProcess> StartAsync(Uri origin, CancellationToken cancellationToken)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "RequestCoalescing.Proxy.dll");
        var start = new ProcessStartInfo("dotnet", [program, "--listen", "http://127.0.0.1:0", "--origin", origin.ToString()]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        try
        {
            // Its first line is "Listening on http://127.0.0.1:12345/. Origin: …".
            var line = await process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new InvalidOperationException("The proxy did not start.");
            return new ProxyProcess(process, new Uri(line.Split(' ')[2].TrimEnd('.')));
        }
        catch
        {
            process.Kill();
            process.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
