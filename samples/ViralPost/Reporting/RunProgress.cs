using System.Diagnostics;
using Spectre.Console;
using ViralPost.Data;
using ViralPost.Load;
using ViralPost.Strategies;

namespace ViralPost.Reporting;

/// <summary>What happens while a run goes on: a line that updates itself, or where a terminal cannot do that, one line a run.</summary>
internal static class RunProgress
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    public static async Task ShowAsync(IAnsiConsole console, Run run, Strategy strategy, PostDatabase database)
    {
        var start = Stopwatch.GetTimestamp();
        if (console.Profile.Capabilities is { Interactive: true, Ansi: true })
        {
            await console.Live(Now()).StartAsync(async live =>
            {
                while (await Task.WhenAny(run.Result, Task.Delay(s_interval)) != run.Result) live.UpdateTarget(Now());
                live.UpdateTarget(Now());
            });
        }
        else
        {
            var (peakQueries, peakSubscribers) = (0, 0L);
            while (await Task.WhenAny(run.Result, Task.Delay(s_interval)) != run.Result)
            {
                peakQueries = Math.Max(peakQueries, database.InFlight);
                peakSubscribers = Math.Max(peakSubscribers, strategy.Singleflight?.GetStats().TotalSubscribers ?? 0);
            }

            console.WriteLine(
                $"  {run.Scenario.Name,-6} {run.Strategy,-18} {run.Done:N0} requests in {Stopwatch.GetElapsedTime(start).TotalSeconds:N1} s, " +
                $"{database.Queries:N0} backend queries (seen at a time: {peakQueries:N0} queries, {peakSubscribers:N0} subscribers)");
        }

        Text Now()
        {
            var stats = strategy.Singleflight?.GetStats();
            return new Text(
                $"  {run.Scenario.Name,-6} {run.Strategy,-18} {run.Done,7:N0} requests done   {database.InFlight,6:N0} backend queries in flight   " +
                $"{stats?.InFlightCount ?? 0,4:N0} keys in flight   {stats?.TotalSubscribers ?? 0,6:N0} subscribers   {Stopwatch.GetElapsedTime(start).TotalSeconds,5:N1} s");
        }
    }
}
