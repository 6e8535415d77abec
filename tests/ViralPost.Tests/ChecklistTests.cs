using System.Diagnostics;
using System.Net;
using RequestCoalescing;
using Spectre.Console;
using ViralPost.Data;
using ViralPost.Serving;

namespace ViralPost.Tests;

/// <summary>The load tests of the production checklist, over HTTP against the sample's app on Kestrel and its SQLite database.</summary>
[Collection(nameof(ViralPostTests))]
public sealed class ChecklistTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Requests = 1_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = Requests }) { Timeout = s_patience };
    private GatedPosts _database = null!;
    private PostApp _app = null!;

    private ISingleflight<long> Singleflight => _app.SingleflightOf("singleflight");

    public async ValueTask InitializeAsync()
    {
        _database = new GatedPosts(await SqlitePosts.OpenAsync(TimeSpan.FromMilliseconds(20), AnsiConsole.Console, default));
        _app = await PostApp.StartAsync(_database, port: 0, [new("Singleflight:singleflight:MaxDuration", "00:00:20")], default);
        _client.BaseAddress = _app.Address;
    }

    public async ValueTask DisposeAsync()
    {
        _database.Open();
        _client.Dispose();
        await _app.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_thousand_identical_requests_cause_one_query()
    {
        _database.Close();
        var requests = Send(_ => 1);
        await UntilAsync(stats => stats.TotalSubscribers == Requests);
        _database.Open();

        var answers = await Task.WhenAll(requests);
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Contains("\"title\":\"Post 1\"", Assert.Single(answers.Select(answer => answer.Body).Distinct()), StringComparison.Ordinal);
        Assert.Equal(1, _database.Queries);
        Assert.Equal(Requests - 1, Singleflight.GetStats().Coalesced);
    }

    [Fact]
    public async Task A_thousand_different_requests_do_not_wait_for_each_other()
    {
        // No query ends before all have begun. If a request waited for another one's query, they would never all begin.
        var begun = 0;
        _database.Close();
        _database.Begins = () =>
        {
            if (Interlocked.Increment(ref begun) == Requests) _database.Open();
        };
        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(Send(request => request + 1));
        output.WriteLine($"{Requests} different requests, all in the backend at the same time: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:N0} ms in all");

        Assert.Equal(Requests, _database.Queries);
        Assert.Equal((Requests, 0), (Singleflight.GetStats().Flights, Singleflight.GetStats().Coalesced));
        Assert.Equal(250, answers.Count(answer => answer.Status == HttpStatusCode.OK)); // there are 250 posts
        Assert.Equal(750, answers.Count(answer => answer.Status == HttpStatusCode.NotFound));
    }

    [Fact]
    public async Task Every_caller_gets_the_failure_and_the_next_call_starts_anew()
    {
        _database.Close();
        _database.Fails = true;
        var requests = Send(_ => 1);
        await UntilAsync(stats => stats.TotalSubscribers == Requests);
        _database.Open();
        Assert.All(await Task.WhenAll(requests), answer => Assert.Equal(HttpStatusCode.InternalServerError, answer.Status));
        Assert.Equal(1, _database.Queries);
        Assert.Equal((0, 0L, 1L), (Singleflight.GetStats().InFlightCount, Singleflight.GetStats().TotalSubscribers, Singleflight.GetStats().Failed));

        _database.Fails = false;
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(1)).Status);
        Assert.Equal(2, _database.Queries);
    }

    [Fact]
    public async Task A_timeout_releases_all_callers_and_the_key()
    {
        Set("MaxDuration", "00:00:01");
        _database.Close();
        var requests = Send(_ => 1);
        Assert.All(await Task.WhenAll(requests), answer => Assert.Equal(HttpStatusCode.InternalServerError, answer.Status));
        var stats = Singleflight.GetStats();
        Assert.Equal((0, stats.Flights, stats.Flights), (stats.InFlightCount, stats.TimedOut, stats.AbandonedCount));

        _database.Open();
        await UntilAsync(stats => stats.AbandonedCount == 0);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(1)).Status);
    }

    [Fact]
    public async Task Coalescing_saves_as_many_queries_as_the_observation_predicts()
    {
        Set("Rollout:Mode", "Observe");
        _database.Close();
        var before = Send(_ => 1);
        await UntilAsync(stats => stats.TotalSubscribers == Requests);
        _database.Open();
        await Task.WhenAll(before);
        var observed = Singleflight.GetStats();
        Assert.Equal(Requests, _database.Queries);
        Assert.Equal((Requests, Requests - 1, 0), (observed.Observed, observed.WouldBeFollowers, observed.Coalesced));

        Set("Rollout:Mode", "Coalesce");
        _database.ResetCounts();
        _database.Close();
        var after = Send(_ => 1);
        await UntilAsync(stats => stats.TotalSubscribers == Requests);
        _database.Open();
        await Task.WhenAll(after);
        Assert.Equal(1, _database.Queries);
        Assert.Equal(observed.WouldBeFollowers, Singleflight.GetStats().Coalesced);
    }

    [Fact]
    public async Task Coalescing_does_not_increase_the_latency()
    {
        // The margin is large: a thousand queries share the database's connections, but one query does not.
        await Task.WhenAll(Send(_ => 1)); // warm up connections and code
        Set("Rollout:Enabled", "false");
        var apart = await MedianAsync();
        Set("Rollout:Enabled", "true");
        var together = await MedianAsync();
        output.WriteLine($"Median latency of {Requests} requests at once: {apart.TotalMilliseconds:N0} ms without coalescing, {together.TotalMilliseconds:N0} ms coalesced");
        Assert.True(together <= apart, $"The median is {together} coalesced and {apart} without coalescing.");

        async Task<TimeSpan> MedianAsync()
        {
            var latencies = (await Task.WhenAll(Send(_ => 1))).Select(answer => answer.Latency).Order().ToList();
            return latencies[Requests / 2];
        }
    }

    [Fact]
    public async Task The_shell_line_of_the_start_page_shows_one_query()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/curl") && File.Exists("/bin/sh"), "The line needs a shell and curl (Debian: apt-get install curl).");
        var guide = await _client.GetStringAsync("/");
        Assert.All(guide.Split('\n'), line => Assert.True(line.Length <= 60, line));
        var from = guide.IndexOf("curl", StringComparison.Ordinal);
        var line = guide[from..guide.IndexOf("\n\n", from, StringComparison.Ordinal)];

        _database.Close();
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", line]) { RedirectStandardOutput = true })!;
        await UntilAsync(stats => stats.TotalSubscribers == 100);
        _database.Open();

        Assert.Equal("singleflight: 100 requests, 1 query\n", await shell.StandardOutput.ReadToEndAsync().WaitAsync(s_patience));
        Assert.Equal(1, _database.Queries);
    }

    private Task<Answer>[] Send(Func<int, long> postOf) => [.. Enumerable.Range(0, Requests).Select(request => GetAsync(postOf(request)))];

    private async Task<Answer> GetAsync(long post)
    {
        var start = Stopwatch.GetTimestamp();
        using var response = await _client.GetAsync($"/singleflight/post/{post}");
        var body = await response.Content.ReadAsStringAsync();
        return new Answer(response.StatusCode, body, Stopwatch.GetElapsedTime(start));
    }

    private void Set(string setting, string value)
    {
        _app.Settings[$"Singleflight:singleflight:{setting}"] = value;
        _app.Settings.Reload();
    }

    private async Task UntilAsync(Func<SingleflightStats, bool> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!condition(Singleflight.GetStats()))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, $"The statistics did not reach the expected state: {Singleflight.GetStats()}.");
            await Task.Yield();
        }
    }

    private sealed record Answer(HttpStatusCode Status, string Body, TimeSpan Latency);
}
