using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace ViralPost.Tests;

/// <summary>The sample shows what it says it shows, and says clearly what it cannot do.</summary>
[Collection(nameof(ViralPostTests))]
public sealed class ViralPostTests
{
    private const int Requests = 1_000;

    [Fact]
    public async Task The_story_comes_out_in_the_figures()
    {
        var path = Path.GetTempFileName();
        try
        {
            var result = await SampleProcess.RunAsync("--requests", $"{Requests}", "--concurrency", "500", "--json", path);
            Assert.True(result.ExitCode == 0, result.Error);

            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(path));
            var rows = json.RootElement.EnumerateArray().ToList();
            Assert.Equal(10, rows.Count);
            foreach (var row in rows)
            {
                Assert.Equal(
                    ["scenario", "strategy", "requests", "backendQueries", "p50Ms", "p99Ms", "maxMs", "failures"],
                    row.EnumerateObject().Select(field => field.Name));
                Assert.Equal(Requests, row.GetProperty("requests").GetInt32());
                Assert.Equal(0, row.GetProperty("failures").GetInt32());
                Assert.True(row.GetProperty("p50Ms").GetDouble() <= row.GetProperty("p99Ms").GetDouble());
                Assert.True(row.GetProperty("p99Ms").GetDouble() <= row.GetProperty("maxMs").GetDouble());
            }

            // How often each asks the backend is settled by what it is, not by the machine's speed.
            Assert.Equal(Requests, Queries(rows, "same", "none"));
            Assert.Equal(1, Queries(rows, "same", "global-lock"));
            Assert.Equal(1, Queries(rows, "same", "cache+singleflight"));
            Assert.InRange(Queries(rows, "same", "singleflight"), 1, Requests / 2);
            Assert.Equal(Requests, Queries(rows, "spread", "none"));
            Assert.Equal(100, Queries(rows, "spread", "global-lock"));
            Assert.Equal(100, Queries(rows, "spread", "cache+singleflight"));
            Assert.Contains("cache+singleflight", result.Output, StringComparison.Ordinal);
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
    [InlineData(1, "The database cannot be used", "--postgres", "Host=127.0.0.1;Port=1;Username=nobody")]
    [InlineData(1, "The database cannot be used", "--postgres", "not a connection string")]
    [InlineData(1, "The results cannot be written", "--json", "/no/such/folder/results.json")]
    public async Task What_cannot_be_done_is_said_in_one_line(int exitCode, string says, params string[] arguments)
    {
        var result = await SampleProcess.RunAsync(arguments);

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(says, Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_said_in_one_line()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var result = await SampleProcess.RunAsync("--serve", "--port", $"{port}");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"{port} is in use", Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Served_it_answers_and_shows_its_statistics()
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

    private static int Queries(IEnumerable<JsonElement> rows, string scenario, string strategy) => rows
        .Single(row => row.GetProperty("scenario").GetString() == scenario && row.GetProperty("strategy").GetString() == strategy)
        .GetProperty("backendQueries").GetInt32();
}
