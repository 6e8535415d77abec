using System.CommandLine;
using System.Globalization;
using ViralPost.Strategies;

namespace ViralPost;

/// <summary>Reads the command line; whatever goes wrong ends as one line on standard error and a non-zero exit.</summary>
internal static class CommandLine
{
    private const int UsageError = 2;
    private const int RunError = 1;

    public static async Task<int> RunAsync(string[] args)
    {
        var requests = Number("--requests", "How many requests arrive, spread over one second.", 10_000, 1, 1_000_000);
        var concurrency = Number("--concurrency", "How many may be under way at a time, each on a connection of its own.", 5_000, 1, 50_000);
        var latency = Number("--db-latency", "Milliseconds to the database server and back, awaited after each SQLite query.", 20, 0, 10_000);
        var port = Number("--port", "The port to listen on; 0 takes a free one.", 0, 0, 65_535);
        var strategy = new Option<string[]>("--strategy") { Description = "Run this strategy only; may be repeated.", AllowMultipleArgumentsPerToken = true };
        strategy.AcceptOnlyFromAmong([.. Strategy.Names]);
        var postgres = new Option<string?>("--postgres") { Description = "A connection string: run on PostgreSQL, with no added latency." };
        var json = new Option<string?>("--json") { Description = "Write the table to this file, as JSON." };
        var serve = new Option<bool>("--serve") { Description = "Run no load; leave the app up, to be tried with curl." };
        var command = new RootCommand("A post goes viral: real requests, a real database, and five ways to answer them.")
        {
            requests, concurrency, latency, port, strategy, postgres, json, serve,
        };

        var parsed = command.Parse(args);
        if (parsed.Errors is [var error, ..]) return Fail(error.Message, UsageError);
        command.SetAction((result, cancellationToken) =>
        {
            var names = result.GetValue(strategy) is { Length: > 0 } named ? named : [.. Strategy.Names];
            var options = new ViralPostOptions(
                result.GetValue(requests),
                result.GetValue(concurrency),
                TimeSpan.FromMilliseconds(result.GetValue(latency)),
                result.GetValue(port),
                [.. Strategy.Names.Intersect(names)],
                result.GetValue(postgres),
                result.GetValue(json),
                result.GetValue(serve));
            return Story.TellAsync(options, cancellationToken);
        });

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (StoryException exception)
        {
            return Fail(exception.Message, RunError);
        }
        catch (OperationCanceledException)
        {
            return Fail("Cancelled.", RunError);
        }
    }

    private static Option<int> Number(string name, string description, int byDefault, int least, int most)
    {
        var option = new Option<int>(name)
        {
            Description = string.Create(CultureInfo.InvariantCulture, $"{description} From {least} to {most}."),
            DefaultValueFactory = _ => byDefault,
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0) return;
            if (int.TryParse(result.Tokens[^1].Value, CultureInfo.InvariantCulture, out var value) && (value < least || value > most))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} must be from {least} to {most}, and is {value}."));
            }
        });
        return option;
    }

    private static int Fail(string message, int exitCode)
    {
        Console.Error.WriteLine($"viralpost: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }
}
