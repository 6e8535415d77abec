using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using ViralPost.Load;
using ViralPost.Strategies;

namespace ViralPost;

/// <summary>Reads the command line. An error becomes one line on standard error, and an exit code other than zero.</summary>
internal sealed class CommandLine
{
    private const int HelpColumns = 80;

    private readonly Option<int> _requests = Number("--requests", "Requests of each cold start.", 10_000, 1, 1_000_000);
    private readonly Option<int> _rate = Number("--rate", "Requests a second while the post expires.", 5_000, 1, 100_000);
    private readonly Option<int> _concurrency = Number("--concurrency", "The most HTTP connections. A burst has at most that many requests.", 5_000, 1, 50_000);
    private readonly Option<int> _latency = Number("--db-latency", "Milliseconds to SQLite and back. 1000 by default with --serve.", 20, 0, 10_000);
    private readonly Option<int> _port = Number("--port", "Port to listen on. 0 takes a free one.", 0, 0, 65_535);
    private readonly Option<string[]> _scenario = Names("--scenario", "Run only this one. May be repeated.", Scenario.Names);
    private readonly Option<string[]> _strategy = Names("--strategy", "Run only this one. May be repeated.", Strategy.Names);
    private readonly Option<string?> _postgres = new("--postgres") { Description = "Run on this PostgreSQL server, without added latency.", HelpName = "connection" };
    private readonly Option<string?> _json = new("--json") { Description = "Write the results to this file.", HelpName = "file" };
    private readonly Option<bool> _serve = new("--serve") { Description = "Send no load. Serve until Ctrl+C, so that you can try it with curl." };

    public static async Task<int> RunAsync(string[] args)
    {
        var line = new CommandLine();
        var parsed = line.Command().Parse(args);
        if (line.ProblemWith(parsed) is { } problem) return Fail(problem, ExitCode.Usage);

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeSpan.FromSeconds(20), // time to cancel and report thousands of requests
            });
        }
        catch (StoryException exception)
        {
            return Fail(exception.Message, ExitCode.Failure);
        }
        catch (OperationCanceledException)
        {
            return Fail("Interrupted before the first request.", ExitCode.Interrupted);
        }
    }

    /// <summary>Returns the problem of the command line. Null if there is none.</summary>
    public static string? ProblemWith(params string[] args)
    {
        var line = new CommandLine();
        return line.ProblemWith(line.Command().Parse(args));
    }

    private static Option<int> Number(string name, string description, int byDefault, int least, int most)
    {
        var option = new Option<int>(name)
        {
            Description = string.Create(CultureInfo.InvariantCulture, $"{description} {least} to {most}."),
            DefaultValueFactory = _ => byDefault,
            HelpName = "n",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0) return;
            if (int.TryParse(result.Tokens[^1].Value, CultureInfo.InvariantCulture, out var value) && (value < least || value > most))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} must be from {least} to {most}, but is {value}."));
            }
        });
        return option;
    }

    private static Option<string[]> Names(string name, string description, IReadOnlyList<string> known)
    {
        var option = new Option<string[]>(name)
        {
            Description = $"{description} {string.Join(", ", known)}.",
            AllowMultipleArgumentsPerToken = true,
            HelpName = "name",
        };
        return option.AcceptOnlyFromAmong([.. known]);
    }

    private static int Fail(string message, int exitCode)
    {
        Console.Error.WriteLine($"viralpost: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }

    private RootCommand Command()
    {
        var command = new RootCommand("A post goes viral: real requests, a real database, and five ways to answer.")
        {
            _requests, _rate, _concurrency, _latency, _port, _scenario, _strategy, _postgres, _json, _serve,
        };
        foreach (var help in command.Options.OfType<HelpOption>().Select(option => option.Action).OfType<HelpAction>())
        {
            help.MaxWidth = Math.Min(help.MaxWidth, HelpColumns);
        }

        command.SetAction(async (result, cancellationToken) =>
        {
            await Task.Yield(); // Ctrl+C works only after this action has returned
            return await Story.TellAsync(Read(result), cancellationToken);
        });
        return command;
    }

    private string? ProblemWith(ParseResult parsed) =>
        parsed.Errors is [var error, ..] ? error.Message : Contradictions(parsed.RootCommandResult).FirstOrDefault();

    // An option without effect is an error, because the user expects an effect.
    private IEnumerable<string> Contradictions(CommandResult result)
    {
        var (scenarios, strategies) = (Chosen(result, _scenario, Scenario.Names), Chosen(result, _strategy, Strategy.Names));
        (bool Applies, string Reason, Option[] Idle)[] rules =
        [
            (result.GetValue(_serve), "--serve sends no load", [_requests, _rate, _concurrency, _scenario, _strategy, _json]),
            (result.GetValue(_postgres) is not null, "--postgres runs without added latency", [_latency]),
            (scenarios is [Scenario.Expiry], "The expiry scenario takes its requests from --rate", [_requests]),
            (!scenarios.Contains(Scenario.Expiry), "The expiry scenario is left out", [_rate]),
            (!strategies.Any(Strategy.HasCache), "No chosen strategy has a cache that could expire", [_rate]),
            (!strategies.Any(Strategy.HasCache) && scenarios.Contains(Scenario.Expiry), "No chosen strategy has a cache that could expire", [_scenario]),
        ];
        return
            from rule in rules
            where rule.Applies
            from option in rule.Idle
            where result.GetResult(option) is { Implicit: false }
            select $"{rule.Reason}: {option.Name} has no effect.";
    }

    private ViralPostOptions Read(ParseResult result)
    {
        var concurrency = result.GetValue(_concurrency);
        var isLatencyGiven = result.GetResult(_latency) is { Implicit: false };
        var strategies = Chosen(result.RootCommandResult, _strategy, Strategy.Names);
        return new ViralPostOptions(
            [.. Chosen(result.RootCommandResult, _scenario, Scenario.Names)
                .Select(name => Scenario.Create(name, result.GetValue(_requests), concurrency, result.GetValue(_rate)))
                .Where(scenario => strategies.Any(scenario.IsFor))],
            strategies,
            concurrency,
            TimeSpan.FromMilliseconds(result.GetValue(_serve) && !isLatencyGiven ? 1_000 : result.GetValue(_latency)), // while serving, slow queries leave the user time to look
            result.GetValue(_port),
            result.GetValue(_postgres),
            result.GetValue(_json),
            result.GetValue(_serve));
    }

    private static List<string> Chosen(CommandResult result, Option<string[]> option, IReadOnlyList<string> all) =>
        result.GetValue(option) is { Length: > 0 } chosen ? [.. all.Intersect(chosen)] : [.. all];
}
