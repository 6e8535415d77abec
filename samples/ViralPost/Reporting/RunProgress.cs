using System.Diagnostics;
using Spectre.Console;
using ViralPost.Data;
using ViralPost.Load;

namespace ViralPost.Reporting;

/// <summary>Shows the progress of a run in one line that updates itself. If the terminal does not support that, it writes one line at the end.</summary>
internal static class RunProgress
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    public static async Task ShowAsync(IAnsiConsole console, Run run, QueryMeter database, Task sending)
    {
        var start = Stopwatch.GetTimestamp();
        if (console.Profile.Capabilities is { Interactive: true, Ansi: true })
        {
            await console.Live(Now()).AutoClear(true).StartAsync(async live =>
            {
                while (await Task.WhenAny(sending, Task.Delay(s_interval)) != sending) live.UpdateTarget(Now());
            });
        }
        else
        {
            await Task.WhenAny(sending);
            console.WriteLine(
                $"{run.Strategy}: {run.Answered:N0} answered in {Stopwatch.GetElapsedTime(start).TotalSeconds:N1} s, {Wording.Queries(database.Counts.Queries)}");
        }

        await sending;

        Text Now() => new(
            $"{run.Strategy,-18} {run.Answered,7:N0} answered {database.Counts.InFlight,6:N0} querying {Stopwatch.GetElapsedTime(start).TotalSeconds,5:N1} s");
    }
}
