using System.CommandLine;

namespace Patterns;

/// <summary>Reads the command line, and runs one pattern or all of them. Errors are lines on standard error. ../README.md lists the exit codes.</summary>
internal static class CommandLine
{
    private const int Success = 0;
    private const int Failure = 1;
    private const int Usage = 2;
    private const int Interrupted = 130;

    public static async Task<int> RunAsync(
        string[] args, IReadOnlyList<Pattern> patterns, TextWriter output, TextWriter error, CancellationToken cancellationToken = default)
    {
        var name = new Argument<string?>("name")
        {
            Description = $"Run only this pattern.{string.Concat(patterns.Select(pattern => $"{Environment.NewLine}{pattern.Name}: {pattern.Description}"))}",
            Arity = ArgumentArity.ZeroOrOne,
            HelpName = "name",
        };
        name.AcceptOnlyFromAmong([.. patterns.Select(pattern => pattern.Name)]);
        var command = new RootCommand("Runs the patterns of request coalescing. Each asks many times, and counts how often its backend was asked.") { name };
        command.SetAction(async (parsed, interrupted) =>
        {
            await Task.Yield(); // Ctrl+C works only after this action has returned
            var chosen = parsed.GetValue(name);
            return await RunAsync(patterns.Where(pattern => chosen is null || pattern.Name == chosen), output, error, interrupted);
        });

        var parsed = command.Parse(args);
        if (parsed.Errors is [var problem, ..]) return Fail(error, problem.Message, Usage);
        return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error }, cancellationToken);
    }

    // A pattern that fails does not keep the others from running.
    private static async Task<int> RunAsync(IEnumerable<Pattern> patterns, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var exitCode = Success;
        foreach (var pattern in patterns)
        {
            try
            {
                var outcome = await pattern.RunAsync(output, cancellationToken);
                output.WriteLine($"{pattern.Name}: {outcome}");
                output.WriteLine();
                if (outcome.BackendSaw != outcome.Expected) exitCode = Fail(error, $"{pattern.Name}: The backend should have seen {outcome.Expected:N0}, but saw {outcome.BackendSaw:N0}.", Failure);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested) // any error: Ctrl+C also stops the local API
            {
                return Fail(error, "Interrupted.", Interrupted);
            }
            catch (Exception exception)
            {
                exitCode = Fail(error, $"{pattern.Name}: {exception.Message}", Failure);
            }
        }

        return exitCode;
    }

    private static int Fail(TextWriter error, string message, int exitCode)
    {
        error.WriteLine($"patterns: {string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
        return exitCode;
    }
}
