using System.Diagnostics;
using System.Globalization;

namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>
/// Runs the rounds of one scenario for one peer, in a process of its own. The compiler then sees one peer only, as it does in an application, and no
/// other scenario has been there before.
/// </summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process _process;

    private PeerProcess(Process process) => _process = process;

    /// <summary>Starts a process and warms it up.</summary>
    public static PeerProcess Start(string scenario, string peer)
    {
        var command = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(command.FileName) == "dotnet") command.ArgumentList.Add(typeof(PeerProcess).Assembly.Location);
        command.Environment["DOTNET_TC_CallCountingDelayMs"] = "0"; // the runtime reaches its final compilation sooner
        foreach (var argument in new[] { "--rounds", scenario, peer }) command.ArgumentList.Add(argument);
        var started = new PeerProcess(Process.Start(command)!);
        started.Read();
        return started;
    }

    /// <summary>Starts a process for each peer. Each warms up alone.</summary>
    public static PeerProcess[] StartAll(string scenario, IEnumerable<string> peers) => [.. peers.Select(peer => Start(scenario, peer))];

    /// <summary>Runs one round in a process of its own.</summary>
    public static double[] Once(string scenario, string peer)
    {
        using var process = Start(scenario, peer);
        return process.Round();
    }

    /// <summary>The side of the process: warms up, and then runs a round for each line, which has the number of threads.</summary>
    public static void Serve(string scenario, string peer)
    {
        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        var round = Rounds.Of(scenario, peer);
        if (Rounds.WarmsUp(scenario))
        {
            // Long enough for the runtime to reach its final compilation.
            var start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(500)) round(1);
        }

        for (output.WriteLine(); Console.ReadLine() is { } threads;)
        {
            GC.Collect();
            output.WriteLine(string.Join(' ', round(int.Parse(threads, CultureInfo.InvariantCulture)).Select(figure => figure.ToString("R", CultureInfo.InvariantCulture))));
        }
    }

    /// <summary>Runs a round.</summary>
    /// <returns>What the scenario measures: see <see cref="Rounds"/>.</returns>
    public double[] Round(int threads = 1)
    {
        _process.StandardInput.WriteLine(threads.ToString(CultureInfo.InvariantCulture));
        _process.StandardInput.Flush();
        return [.. Read().Split(' ').Select(figure => double.Parse(figure, CultureInfo.InvariantCulture))];
    }

    public void Dispose()
    {
        _process.StandardInput.Close(); // the process ends when it finds no further line
        _process.WaitForExit();
        _process.Dispose();
    }

    private string Read() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The process has ended. Its error is above.");
}
