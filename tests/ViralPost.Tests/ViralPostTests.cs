using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace ViralPost.Tests;

/// <summary>The sample's figures support its story, and its errors are clear.</summary>
[Collection(nameof(ViralPostTests))]
public sealed class ViralPostTests
{
    private const int Requests = 1_000;
    private const int Burst = 500;
    private const int Rate = 500;

    [Fact]
    public async Task The_figures_show_the_story()
    {
        var path = Path.GetTempFileName();
        try
        {
            var result = await SampleProcess.RunAsync("--requests", $"{Requests}", "--concurrency", $"{Burst}", "--rate", $"{Rate}", "--json", path);
            Assert.True(result.ExitCode == 0, result.Error);

            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(path));
            var rows = json.RootElement.EnumerateArray().ToList();
            Assert.Equal(18, rows.Count);
            foreach (var row in rows)
            {
                Assert.Equal(
                    [
                        "scenario", "strategy", "requests", "backendQueries", "fetches", "mostAtOnce", "databaseBusyMs",
                        "p50Ms", "p99Ms", "maxMs", "failures", "sentWithinMs", "requestsPerSecond", "queriesPerFetch",
                    ],
                    row.EnumerateObject().Select(field => field.Name));
                Assert.Equal(0, row.GetProperty("failures").GetInt32());
                Assert.True(row.GetProperty("p50Ms").GetDouble() <= row.GetProperty("p99Ms").GetDouble());
                Assert.True(row.GetProperty("p99Ms").GetDouble() <= row.GetProperty("maxMs").GetDouble());
            }

            // The number of queries of each strategy does not depend on the speed of the machine.
            foreach (var (scenario, requests, posts) in new[] { ("same", Requests, 1), ("burst", Burst, 1), ("spread", Requests, 100) })
            {
                Assert.Equal(requests, Row(rows, scenario, "none").GetProperty("requests").GetInt32());
                Assert.Equal(requests, Row(rows, scenario, "none").GetProperty("backendQueries").GetInt32());
                Assert.Equal(posts, Row(rows, scenario, "global-lock").GetProperty("backendQueries").GetInt32());
                Assert.Equal(1, Row(rows, scenario, "global-lock").GetProperty("mostAtOnce").GetInt32());
                Assert.Equal(posts, Row(rows, scenario, "cache+singleflight").GetProperty("backendQueries").GetInt32());
                Assert.InRange(Row(rows, scenario, "singleflight").GetProperty("mostAtOnce").GetInt32(), 1, posts);
            }

            var expiry = Row(rows, "expiry", "cache+singleflight");
            Assert.Equal(3 * Rate, expiry.GetProperty("requests").GetInt32());
            Assert.InRange(expiry.GetProperty("fetches").GetInt32(), 1, 12);
            Assert.Equal(expiry.GetProperty("fetches").GetInt32(), expiry.GetProperty("backendQueries").GetInt32());
            Assert.Equal(1, expiry.GetProperty("mostAtOnce").GetInt32());

            Assert.Contains("Cache and singleflight together sent 1 query;", result.Output, StringComparison.Ordinal);
            Assert.Contains("Cache and singleflight together sent 1 query for each expiry;", result.Output, StringComparison.Ordinal);
            Assert.DoesNotMatch(@"(?<![\d.])1 (backend )?queries|: 0 queries", result.Output);
            Assert.All(result.Output.Split('\n'), line => Assert.True(line.Length <= 80, line));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData(2, "--nope", "--nope")]
    [InlineData(2, "--requests must be", "--requests", "0")]
    [InlineData(2, "--concurrency must be", "--concurrency", "-1")]
    [InlineData(2, "many", "--requests", "many")]
    [InlineData(2, "fastest", "--strategy", "fastest")]
    [InlineData(2, "--serve sends no load: --json", "--serve", "--json", "results.json")]
    [InlineData(1, "The database cannot be used", "--postgres", "Host=127.0.0.1;Port=1;Username=none")]
    [InlineData(1, "The database cannot be used", "--postgres", "not a connection string")]
    [InlineData(1, "The results cannot be written", "--json", "/no/such/folder/results.json")]
    public async Task An_impossible_option_gives_a_one_line_error(int exitCode, string message, params string[] arguments)
    {
        var result = await SampleProcess.RunAsync(arguments);

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(null, "--serve", "--db-latency", "10", "--port", "8080")]
    [InlineData(null, "--scenario", "same", "expiry", "--rate", "10", "--requests", "10")]
    [InlineData("--serve sends no load: --requests", "--serve", "--requests", "10")]
    [InlineData("--serve sends no load: --strategy", "--serve", "--strategy", "none")]
    [InlineData("--postgres runs without added latency: --db-latency", "--postgres", "Host=127.0.0.1", "--db-latency", "1")]
    [InlineData("The expiry scenario is left out: --rate", "--scenario", "burst", "--rate", "10")]
    [InlineData("The expiry scenario takes its requests from --rate: --requests", "--scenario", "expiry", "--requests", "10")]
    [InlineData("No chosen strategy has a cache that could expire: --scenario", "--strategy", "none", "--scenario", "expiry")]
    [InlineData("No chosen strategy has a cache that could expire: --rate", "--strategy", "singleflight", "--rate", "10")]
    public void An_option_that_would_have_no_effect_is_an_error(string? message, params string[] arguments) =>
        Assert.Equal(message is null ? null : $"{message} has no effect.", CommandLine.ProblemWith(arguments));

    [Fact]
    public async Task A_port_in_use_gives_a_one_line_error()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var result = await SampleProcess.RunAsync("--serve", "--port", $"{port}");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"{port} is in use", Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_serving_the_sample_answers_and_shows_its_statistics()
    {
        await using var sample = SampleProcess.Start("--serve", "--db-latency", "2000");
        var metricsAt = "";
        while (!metricsAt.Contains("metrics", StringComparison.Ordinal)) metricsAt = await sample.ReadUntilAsync("  curl ");
        using var client = new HttpClient { BaseAddress = new Uri(new Uri(metricsAt), "/") };

        var posts = Enumerable.Range(0, 5).Select(_ => client.GetStringAsync("/post/7")).ToArray();
        JsonElement metrics;
        do
        {
            metrics = JsonDocument.Parse(await client.GetStringAsync("/metrics/singleflight")).RootElement;
        }
        while (metrics.GetProperty("total_subscribers").GetInt32() < 5);

        Assert.Equal(1, metrics.GetProperty("in_flight_count").GetInt32());
        Assert.True(metrics.GetProperty("oldest_call_age_ms").GetDouble() >= 0);
        Assert.All(await Task.WhenAll(posts), post => Assert.Equal(7, JsonDocument.Parse(post).RootElement.GetProperty("id").GetInt32()));
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/singleflight/post/99999")).StatusCode);
    }

    [Fact]
    public async Task After_Ctrl_C_the_sample_reports_the_counts_so_far()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("On Windows, a process cannot send Ctrl+C to another one.");
        var path = Path.GetTempFileName();
        try
        {
            await using var sample = SampleProcess.Start("--scenario", "same", "--requests", "50", "--strategy", "none", "--db-latency", "10000", "--json", path);
            await sample.ReadUntilAsync("Cold start");
            var result = await sample.InterruptAsync();

            Assert.Equal(130, result.ExitCode);
            Assert.Matches(@"Interrupted: none had answered 0 of 50 requests, with \d+ quer", result.Output);
            Assert.Equal("viralpost: Interrupted. The counts cover the run so far.", result.Error.Trim());
            Assert.Equal(0, JsonDocument.Parse(await File.ReadAllTextAsync(path)).RootElement.GetArrayLength());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Ctrl_C_ends_serving_without_an_error()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("On Windows, a process cannot send Ctrl+C to another one.");
        await using var sample = SampleProcess.Start("--serve");
        await sample.ReadUntilAsync("The same text is at ");
        var result = await sample.InterruptAsync();

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
    }

    [Fact]
    public async Task The_help_fits_eighty_columns()
    {
        var result = await SampleProcess.RunAsync("--help");

        Assert.Equal(0, result.ExitCode);
        Assert.All(result.Output.Split('\n'), line => Assert.True(line.TrimEnd().Length <= 80, line));
    }

    private static JsonElement Row(IEnumerable<JsonElement> rows, string scenario, string strategy) => rows
        .Single(row => row.GetProperty("scenario").GetString() == scenario && row.GetProperty("strategy").GetString() == strategy);
}
