using System.Text.RegularExpressions;

namespace Patterns.Tests;

/// <summary>Each pattern of the sample asks its backend once for all equal requests, and the sample reports errors.</summary>
public sealed class PatternTests
{
    public static TheoryData<string> Names => [.. Pattern.All.Select(pattern => pattern.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_pattern_runs_alone_and_its_last_line_says_that_the_backend_saw_one_for_all_equal_requests(string name)
    {
        var (exitCode, output, error) = await RunAsync(Pattern.All, name);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Matches($"^{name}: asked (20|200|[12],000) times, backend saw (1( run of 3 attempts)?|2 queries, one for each user)$", output.TrimEnd().Split(Environment.NewLine)[^1]);
        Assert.Single(Regex.Matches(output, "backend saw"));
    }

    [Fact]
    public async Task All_patterns_run_without_a_name_and_one_that_fails_does_not_stop_the_others()
    {
        var (exitCode, output, error) = await RunAsync(
        [
            new("first", "", static (_, _) => throw new InvalidOperationException("The disk\nis full.")),
            Saw("second", 2),
            Saw("third", 1),
        ]);

        Assert.Equal(1, exitCode);
        Assert.Equal(["second: asked 1,000 times, backend saw 2", "third: asked 1,000 times, backend saw 1"], Lines(output));
        Assert.Equal(["patterns: first: The disk is full.", "patterns: second: The backend should have seen 1, but saw 2."], Lines(error));
    }

    [Fact]
    public async Task An_interrupted_run_ends_with_its_own_exit_code_and_starts_no_other_pattern()
    {
        using var interrupted = new CancellationTokenSource();
        using var output = new StringWriter();
        using var error = new StringWriter();
        Pattern[] patterns =
        [
            new("first", "", async (_, cancellationToken) =>
            {
                await interrupted.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
                return new Outcome(1, 1);
            }),
            Saw("second", 1),
        ];

        var exitCode = await CommandLine.RunAsync([], patterns, output, error, interrupted.Token);

        Assert.Equal((130, "", "patterns: Interrupted."), (exitCode, output.ToString(), error.ToString().TrimEnd()));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("Database")]
    public async Task An_unknown_name_is_a_wrong_command_line_and_the_message_lists_the_names(string name)
    {
        var (exitCode, output, error) = await RunAsync(Pattern.All, name);

        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains($"'{name}'", error, StringComparison.Ordinal);
        Assert.All(Pattern.All, pattern => Assert.Contains($"'{pattern.Name}'", error, StringComparison.Ordinal));
        Assert.Single(Lines(error));
    }

    [Fact]
    public async Task A_second_name_is_a_wrong_command_line()
    {
        var (exitCode, output, _) = await RunAsync(Pattern.All, "database", "cache");
        Assert.Equal((2, ""), (exitCode, output));
    }

    [Fact]
    public async Task The_help_describes_each_pattern()
    {
        var (exitCode, output, error) = await RunAsync(Pattern.All, "--help");

        Assert.Equal((0, ""), (exitCode, error));
        Assert.All(Pattern.All, pattern => Assert.Contains($"{pattern.Name}: {pattern.Description}", output, StringComparison.Ordinal));
    }

    private static Pattern Saw(string name, int count) => new(name, "", (_, _) => Task.FromResult(new Outcome(1_000, count)));

    private static string[] Lines(string text) => text.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(IReadOnlyList<Pattern> patterns, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exitCode = await CommandLine.RunAsync(args, patterns, output, error);
        return (exitCode, output.ToString(), error.ToString());
    }
}
