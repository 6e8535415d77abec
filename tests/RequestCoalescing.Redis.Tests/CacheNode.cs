using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Controls a process of <c>RequestCoalescing.CacheNode</c>. It answers one command at a time.</summary>
internal sealed class CacheNode : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();

    private CacheNode(Process process) => _process = process;

    public int Id => _process.Id;

    /// <param name="redis">The connection string.</param>
    /// <param name="backend">The address of the backend.</param>
    /// <param name="lease">The duration of a lease.</param>
    public static async Task<CacheNode> StartAsync(string redis, Uri backend, TimeSpan lease)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "RequestCoalescing.CacheNode.dll");
        var start = new ProcessStartInfo("dotnet", [program, redis, backend.ToString(), lease.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var node = new CacheNode(Process.Start(start)!);
        node._process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null) node._answers.Writer.TryWrite(line.Data);
            else node._answers.Writer.TryComplete();
        };
        node._process.BeginOutputReadLine();
        await node._answers.Reader.ReadAsync();
        return node;
    }

    /// <summary>Makes many calls for one key at once.</summary>
    /// <param name="cache">The inner cache: <c>hybrid</c> or <c>fusion</c>.</param>
    /// <param name="key">The key.</param>
    /// <param name="callers">How many calls to make.</param>
    /// <param name="ms">How long the backend takes.</param>
    /// <param name="bothLevels">Whether the calls read and write the first level, too.</param>
    /// <returns>How many were answered, and the answers that differ, joined by commas.</returns>
    public async Task<(int Answered, string Answer)> CallAsync(string cache, string key, int callers, int ms, bool bothLevels = false)
    {
        var answer = (await SendAsync($"call {cache} {key} {callers} {ms} {(bothLevels ? "both" : "second")}")).Split('|');
        return (int.Parse(answer[0], CultureInfo.InvariantCulture), answer[1]);
    }

    public Task RemoveAsync(string cache, string key) => SendAsync($"remove {cache} {key}");

    /// <summary>Kills the process, so that it cannot release its leases.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<string> SendAsync(string command)
    {
        await _process.StandardInput.WriteLineAsync(command);
        await _process.StandardInput.FlushAsync();
        return await _answers.Reader.ReadAsync();
    }
}
