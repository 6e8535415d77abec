using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;

namespace Cluster;

/// <summary>Controls a node's process.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();

    private WorkerProcess(Process process) => _process = process;

    public int Id => _process.Id;

    /// <param name="redis">The server, as a StackExchange.Redis connection string.</param>
    /// <param name="backend">The backend's address.</param>
    /// <param name="lease">The duration of the node's leases.</param>
    /// <param name="environment">Variables for the process.</param>
    public static async Task<WorkerProcess> StartAsync(string redis, Uri backend, TimeSpan lease, params (string Name, string Value)[] environment)
    {
        var program = typeof(WorkerProcess).Assembly.Location;
        var start = new ProcessStartInfo("dotnet", [program, "worker", "--redis", redis, "--backend", backend.ToString(), "--lease", lease.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
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

    /// <summary>Makes many calls for one key at once.</summary>
    public Task<WorkerAnswer> CallAsync(string key, int callers, int ms) => SendAsync($"call {key} {callers} {ms}");

    /// <summary>Makes a call for each of many keys at once.</summary>
    public Task<WorkerAnswer> SpreadAsync(string prefix, int keys, int ms) => SendAsync($"spread {prefix} {keys} {ms}");

    /// <summary>Keeps all threads of the node's pool busy for a time.</summary>
    public Task<WorkerAnswer> StarveAsync(int ms) => SendAsync($"starve pool 500 {ms}");

    /// <summary>Kills the process, so that it cannot release its leases.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<WorkerAnswer> SendAsync(string command)
    {
        await _process.StandardInput.WriteLineAsync(command);
        await _process.StandardInput.FlushAsync();
        var answer = (await _answers.Reader.ReadAsync()).Split('|');
        return new WorkerAnswer(
            int.Parse(answer[1], CultureInfo.InvariantCulture), int.Parse(answer[2], CultureInfo.InvariantCulture), int.Parse(answer[3], CultureInfo.InvariantCulture), answer[4], answer[5]);
    }
}
