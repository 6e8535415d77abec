using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;

namespace Cluster;

/// <summary>A node, seen from the one that started it.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();

    private WorkerProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public static async Task<WorkerProcess> StartAsync(string redis, Uri backend, TimeSpan lease)
    {
        var program = typeof(WorkerProcess).Assembly.Location;
        var start = new ProcessStartInfo("dotnet", [program, "worker", "--redis", redis, "--backend", backend.ToString(), "--lease", lease.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var worker = new WorkerProcess(Process.Start(start)!);
        worker._process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null) worker._answers.Writer.TryWrite(line.Data);
            else worker._answers.Writer.TryComplete();
        };
        worker._process.BeginOutputReadLine();
        await worker._answers.Reader.ReadAsync();
        return worker;
    }

    /// <summary>Has callers ask for a key at once.</summary>
    public Task<WorkerAnswer> CallAsync(string key, int callers, int ms) => OrderAsync($"call {key} {callers} {ms}");

    /// <summary>Asks for many keys at once.</summary>
    public Task<WorkerAnswer> SpreadAsync(string prefix, int keys, int ms) => OrderAsync($"spread {prefix} {keys} {ms}");

    /// <summary>Keeps all threads of its pool busy for a time.</summary>
    public Task<WorkerAnswer> StarveAsync(int ms) => OrderAsync($"starve pool 500 {ms}");

    /// <summary>Ends the process without a word.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<WorkerAnswer> OrderAsync(string order)
    {
        await _process.StandardInput.WriteLineAsync(order);
        await _process.StandardInput.FlushAsync();
        var answer = (await _answers.Reader.ReadAsync()).Split('|');
        return new WorkerAnswer(
            int.Parse(answer[1], CultureInfo.InvariantCulture), int.Parse(answer[2], CultureInfo.InvariantCulture), int.Parse(answer[3], CultureInfo.InvariantCulture), answer[4], answer[5]);
    }
}
