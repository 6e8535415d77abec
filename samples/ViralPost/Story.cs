using Spectre.Console;
using ViralPost.Data;
using ViralPost.Load;
using ViralPost.Reporting;
using ViralPost.Serving;

namespace ViralPost;

/// <summary>Starts the app on its database, runs each strategy in each scenario, and reports.</summary>
internal static class Story
{
    private const int Columns = 80;

    public static async Task<int> TellAsync(ViralPostOptions options, CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Console;
        console.Profile.Width = Math.Min(console.Profile.Width, Columns);

        await using var json = options.JsonPath is { } path ? ResultJson.Open(path) : null;
        await using PostDatabase database = options.Postgres is { } connectionString
            ? await PostgresPosts.OpenAsync(connectionString, cancellationToken)
            : await SqlitePosts.OpenAsync(options.DatabaseLatency, console, cancellationToken);
        await using var app = await PostApp.StartAsync(database, options.Port, settings: [], cancellationToken);
        console.WriteLine($"Database: {database.Description}");
        if (options.Serve) return await ServeAsync(app, cancellationToken);

        console.WriteLine(
            $"Load: HTTP requests over loopback, on up to {options.Concurrency:N0} connections. Every run starts with a new strategy. " +
            "\"Most at once\" counts queries that wait for a database connection or use one. \"Db busy\" is the time with at least one of them.");
        using var crowd = new Crowd(app.Address, options.Concurrency);
        var results = new List<RunResult>();
        var exitCode = ExitCode.Success;
        try
        {
            await crowd.ConnectAsync(Math.Min(options.Concurrency, options.Scenarios.Max(scenario => scenario.Requests)), cancellationToken);
            foreach (var scenario in options.Scenarios)
            {
                await new Stage(console, database, app, crowd, scenario).RunAsync(options.Strategies, results, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            exitCode = ExitCode.Interrupted;
            await Console.Error.WriteLineAsync("viralpost: Interrupted. The counts cover the run so far.");
        }

        if (json is not null) await ResultJson.WriteAsync(json, results);
        return exitCode;
    }

    private static async Task<int> ServeAsync(PostApp app, CancellationToken cancellationToken)
    {
        Console.WriteLine(); // not through the wrapping console, because the user copies these lines
        Console.WriteLine(app.Guide());
        Console.WriteLine($"The same text is at {app.Address}. Ctrl+C ends the app.");
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return ExitCode.Success;
    }
}
