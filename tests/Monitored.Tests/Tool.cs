using System.Diagnostics;
using System.Reflection;

namespace Monitored.Tests;

/// <summary>Runs programs for the tests, and knows where they are.</summary>
internal static class Tool
{
    public static string Root => Metadata("Root");

    public static string Sample => Metadata("Sample");

    /// <summary>Skips the test unless Prometheus and its tools are installed.</summary>
    public static void NeedsPrometheus() =>
        Assert.SkipWhen(PrometheusServer.Find() is null, "Prometheus is not installed here (Debian: apt-get install prometheus).");

    public static async Task<(int ExitCode, string Output)> RunAsync(string program, IEnumerable<string> arguments, string? path = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        if (path is not null) start.Environment["PATH"] = path;
        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(patience.Token);
            var error = process.StandardError.ReadToEndAsync(patience.Token);
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, await output + await error);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static string Metadata(string key) =>
        typeof(Tool).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == key).Value!;
}
