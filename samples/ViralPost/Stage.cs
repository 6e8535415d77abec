using RequestCoalescing;
using Spectre.Console;
using ViralPost.Data;
using ViralPost.Load;
using ViralPost.Reporting;
using ViralPost.Serving;
using ViralPost.Strategies;

namespace ViralPost;

/// <summary>Runs a scenario with one strategy after the other.</summary>
internal sealed class Stage(IAnsiConsole console, PostDatabase database, PostApp app, Crowd crowd, Scenario scenario)
{
    /// <summary>Runs the strategies, reports them, and adds their results. An interrupted run is reported with its counts so far.</summary>
    public async Task RunAsync(IEnumerable<string> strategies, List<RunResult> results, CancellationToken cancellationToken)
    {
        console.WriteLine();
        console.WriteLine(scenario.Title);
        var first = results.Count;
        try
        {
            foreach (var name in strategies.Where(scenario.IsFor)) results.Add(await RunAsync(name, cancellationToken));
        }
        finally
        {
            var finished = results[first..];
            if (finished.Count > 0) ResultTable.Write(console, scenario, finished);
        }
    }

    private async Task<RunResult> RunAsync(string name, CancellationToken cancellationToken)
    {
        var meter = new QueryMeter(database);
        await using var singleflight = new Singleflight<long>();
        using var strategy = Strategy.Create(name, meter, () => singleflight, scenario.Lifetime);
        if (scenario.Expires)
        {
            await strategy.GetPostAsync(scenario.PostOf(0), cancellationToken); // so that the load finds the post in the cache
            meter.Reset();
        }

        using var door = scenario.IsBurst ? new Door(strategy, scenario.Requests) : null;
        app.Serve(door ?? strategy);
        var run = new Run(scenario, name, door);
        try
        {
            await RunProgress.ShowAsync(console, run, meter, crowd.SendAsync(run, cancellationToken));
        }
        catch (OperationCanceledException)
        {
            var (queries, most) = (meter.Counts.Queries, meter.Counts.MostInFlight);
            console.WriteLine(
                $"Interrupted: {name} had answered {run.Answered:N0} of {Wording.Requests(scenario.Requests)}, with {Wording.Queries(queries)}" +
                $"{(most > 1 ? $", up to {most:N0} at once" : "")}.");
            throw;
        }

        return run.ToResult(meter.Counts, scenario.Expires ? strategy.Cache!.Expiries : Math.Min(scenario.Posts, scenario.Requests));
    }
}
