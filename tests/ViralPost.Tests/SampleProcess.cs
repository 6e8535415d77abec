using System.Diagnostics;
using System.Reflection;

namespace ViralPost.Tests;

/// <summary>Runs the sample as a user does.</summary>
internal sealed class SampleProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;

    private SampleProcess(Process process) => _process = process;

    public static SampleProcess Start(params IEnumerable<string> arguments)
    {
        var folder = typeof(SampleProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "SampleFolder").Value!;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, "ViralPost.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new SampleProcess(Process.Start(start)!);
    }

    public static async Task<SampleResult> RunAsync(params IEnumerable<string> arguments)
    {
        await using var sample = Start(arguments);
        var output = sample._process.StandardOutput.ReadToEndAsync();
        var error = sample._process.StandardError.ReadToEndAsync();
        await sample._process.WaitForExitAsync().WaitAsync(s_patience);
        return new SampleResult(sample._process.ExitCode, await output, await error);
    }

    /// <summary>Sends Ctrl+C, and reads the rest of the output.</summary>
    public async Task<SampleResult> InterruptAsync()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        var error = _process.StandardError.ReadToEndAsync();
        using (var kill = Process.Start("kill", ["-INT", $"{_process.Id}"])) await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(s_patience);
        return new SampleResult(_process.ExitCode, await output, await error);
    }

    /// <summary>Reads the output until a line begins with a text.</summary>
    public async Task<string> ReadUntilAsync(string start)
    {
        while (await _process.StandardOutput.ReadLineAsync().WaitAsync(s_patience) is { } line)
        {
            if (line.StartsWith(start, StringComparison.Ordinal)) return line[start.Length..];
        }

        throw new InvalidOperationException($"The sample ended without printing '{start}': {await _process.StandardError.ReadToEndAsync()}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync().WaitAsync(s_patience);
        _process.Dispose();
    }
}
