using RequestCoalescing;
using Spectre.Console;
using ViralPost.Data;
using ViralPost.Load;
using ViralPost.Reporting;
using ViralPost.Serving;
using ViralPost.Strategies;

namespace ViralPost;

/// <summary>Sets the stage, lets the post go viral once for each strategy, and says what came of it.</summary>
internal static class Story
{
    private const int SpreadOver = 100;

    public static async Task<int> TellAsync(ViralPostOptions options, CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Console;
        if (!console.Profile.Capabilities.Interactive) console.Profile.Width = Math.Max(console.Profile.Width, 160); // a file has no edge

        await using var json = options.JsonPath is { } path ? ResultJson.Open(path) : null;
        await using PostDatabase database = options.Postgres is { } connectionString
            ? await PostgresPosts.OpenAsync(connectionString, cancellationToken)
            : await SqlitePosts.OpenAsync(options.DatabaseLatency, console, cancellationToken);
        await using var app = await PostApp.StartAsync(database, options.Port, settings: [], cancellationToken);
        console.MarkupLineInterpolated($"Database: {database.Description}");

        if (options.Serve)
        {
            await ServeAsync(app, console, cancellationToken);
            return 0;
        }

        console.MarkupLineInterpolated(
            $"Load: {options.Requests:N0} HTTP requests within a second over loopback, up to {options.Concurrency:N0} connections, each strategy on a cold start.");
        using var crowd = new Crowd(app.Address, options.Concurrency);
        await crowd.ConnectAsync(Math.Min(options.Concurrency, options.Requests), cancellationToken);

        var results = new List<RunResult>();
        foreach (var scenario in new[] { Scenario.Same, Scenario.Spread(SpreadOver) })
        {
            foreach (var name in options.Strategies)
            {
                await using var singleflight = new Singleflight<long>();
                using var strategy = Strategy.Create(name, database, () => singleflight);
                app.Serve(strategy);
                database.ResetCounts();
                var run = crowd.RunAsync(scenario, name, options.Requests, cancellationToken);
                await RunProgress.ShowAsync(console, run, strategy, database);
                results.Add((await run.Result).ToResult(database.Queries));
            }
        }

        ResultTable.Write(console, results);
        if (json is not null) await ResultJson.WriteAsync(json, results, cancellationToken);
        return 0;
    }

    private static async Task ServeAsync(PostApp app, IAnsiConsole console, CancellationToken cancellationToken)
    {
        console.WriteLine("Try these, and end with Ctrl+C:");
        foreach (var name in Strategy.Names) console.WriteLine($"  curl {app.Address}{name}/post/1");
        console.WriteLine($"  curl {app.Address}post/1");
        console.WriteLine($"  curl {app.Address}metrics/singleflight");
        console.WriteLine($"  {app.Address}singleflight in a browser");
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The wished-for end.
        }
    }
}
