using Spectre.Console;
using ViralPost.Load;
using ViralPost.Reporting;

namespace ViralPost.Tests;

/// <summary>The tables and their conclusions, from invented figures.</summary>
public sealed class ReportTests
{
    private static readonly Scenario s_same = Scenario.Create("same", 10_000, 5_000, 5_000);
    private static readonly Scenario s_burst = Scenario.Create("burst", 10_000, 5_000, 5_000);
    private static readonly Scenario s_spread = Scenario.Create("spread", 10_000, 5_000, 5_000);
    private static readonly Scenario s_expiry = Scenario.Create("expiry", 10_000, 5_000, 5_000);

    [Fact]
    public void The_conclusion_explains_why_singleflight_alone_sends_more_queries_than_a_cache() => Assert.Equal(
        "Cache and singleflight together sent 1 query; the cache alone sent 25 queries, up to 25 at once; " +
        "singleflight alone keeps no answer and sent 41 queries, one at a time.",
        Conclusion.Of(s_same, [Result("none", 10_000, 5_000), Result("cache", 25, 25), Result("singleflight", 41, 1), Result("cache+singleflight", 1, 1)]));

    [Fact]
    public void The_conclusion_follows_the_figures() => Assert.Equal(
        "Cache and singleflight together sent 2 queries, one at a time; the cache alone sent 1 query; singleflight alone sent 1 query.",
        Conclusion.Of(s_burst, [Result("cache", 1, 1), Result("singleflight", 1, 1), Result("cache+singleflight", 2, 1)]));

    [Fact]
    public void Queries_for_many_posts_are_counted_per_post_and_the_lock_shows_its_cost()
    {
        RunResult[] results = [Result("cache", 661, 556, fetches: 100), Result("global-lock", 100, 1, fetches: 100, p99: 500), Result("cache+singleflight", 100, 48, fetches: 100)];
        Assert.Equal(
            "Cache and singleflight together sent 1 query for each post, up to 48 at once; the cache alone sent 6.6 queries for each post, up to 556 at once; " +
            "behind the global lock posts wait for each other, which makes its p99 5.0 times as long.",
            Conclusion.Of(s_spread, results));
        Assert.DoesNotContain("global lock", Conclusion.Of(s_spread, [results[0], results[1] with { P99Ms = 100 }, results[2]]), StringComparison.Ordinal);
    }

    [Fact]
    public void Queries_are_counted_per_expiry_and_the_achieved_rate_is_reported()
    {
        RunResult[] results = [Result("cache", 647, 124, fetches: 10), Result("cache+singleflight", 11, 1, fetches: 11)];
        Assert.Equal(
            "Cache and singleflight together sent 1 query for each expiry; the cache alone sent 64.7 queries for each expiry, up to 124 at once.",
            Conclusion.Of(s_expiry, results));
        Assert.Equal("Requests/s achieved: 4,321 with cache, 4,321 with cache+singleflight.", Conclusion.LoadOf(s_expiry, results));
    }

    [Fact]
    public void A_load_that_arrived_late_is_reported()
    {
        Assert.Equal(
            "The last request got its connection late: after 7.3 s with none.",
            Conclusion.LoadOf(s_same, [Result("none", 10_000, 5_000, sent: 7_264), Result("cache", 1, 1, sent: 1_001)]));
        Assert.Null(Conclusion.LoadOf(s_same, [Result("cache", 1, 1, sent: 1_001)]));
        Assert.Equal(
            "The requests entered within 22 to 315 ms; the target is 50 ms.",
            Conclusion.LoadOf(s_burst, [Result("none", 5_000, 5_000, sent: 315), Result("cache", 4_000, 4_000, sent: 22)]));
    }

    [Fact]
    public void Without_the_usual_strategies_the_conclusion_is_about_the_others() => Assert.Equal(
        "The app without protection sent 10,000 queries, up to 5,000 at once; the global lock sent 1 query.",
        Conclusion.Of(s_same, [Result("none", 10_000, 5_000), Result("global-lock", 1, 1)]));

    [Fact]
    public void A_burst_has_at_most_one_request_for_each_connection() =>
        Assert.Equal((5_000, 100), (s_burst.Requests, Scenario.Create("burst", 100, 5_000, 5_000).Requests));

    [Theory]
    [InlineData(60)]
    [InlineData(80)]
    public void Every_table_fits_its_columns(int columns)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(text) });
        console.Profile.Width = columns;
        ResultTable.Write(console, s_same, [Result("none", 100_000, 100_000, p99: 123_456, failures: 3), Result("cache+singleflight", 1, 1)]);
        ResultTable.Write(console, s_expiry, [Result("cache", 12_345, 5_000, fetches: 12), Result("cache+singleflight", 12, 1, fetches: 12)]);

        var lines = text.ToString().Split('\n');
        Assert.All(lines, line => Assert.True(line.TrimEnd().Length <= columns, line));
        Assert.Contains(lines, line => line.Contains("cache+singleflight", StringComparison.Ordinal) && line.TrimEnd().EndsWith("100", StringComparison.Ordinal));
        Assert.Contains("none: 3 of 10,000 requests failed.", text.ToString(), StringComparison.Ordinal);
    }

    private static RunResult Result(string strategy, int queries, int atOnce, int fetches = 1, double p99 = 100, double sent = 1_000, int failures = 0) =>
        new("", strategy, 10_000, queries, fetches, atOnce, 50, 10, p99, 200, failures, sent, 4_321);
}
