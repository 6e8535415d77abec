using System.Text.Json;
using System.Text.RegularExpressions;
using RequestCoalescing;

namespace Monitored.Tests;

/// <summary>The alerts and the dashboard use the names under which the meter's instruments appear in Prometheus.</summary>
public sealed partial class NameTests
{
    private static readonly string s_dashboard = Path.Combine(Tool.Root, "ops", "grafana", "singleflight.json");

    private static IEnumerable<string> Expressions
    {
        get
        {
            using var json = JsonDocument.Parse(File.ReadAllText(s_dashboard));
            return [.. json.RootElement.GetProperty("panels").EnumerateArray()
                .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
                .Select(target => target.GetProperty("expr").GetString()!)];
        }
    }

    [Fact]
    public async Task All_names_in_rules_and_dashboard_are_exported_and_all_exported_names_are_on_the_dashboard()
    {
        await using var backend = await WeatherBackend.StartAsync();
        await using var app = await WeatherApp.StartAsync(backend.Address, 0);
        using var client = new HttpClient { BaseAddress = app.Address };
        await client.GetStringAsync("weather/Cork");
        await using (var batches = new BatchLoader<string, string>(static (_, _, _) => Task.CompletedTask))
        {
            await batches.LoadAsync("Cork"); // the app itself loads no batches. The disposal waits for the end of this one
        }

        var exported = MetricName().Matches(await client.GetStringAsync("metrics")).Select(match => match.Value).Where(IsSeries).ToHashSet();

        var onDashboard = Expressions.SelectMany(expression => MetricName().Matches(expression)).Select(match => match.Value).Where(IsSeries).ToHashSet();
        var inRules = MetricName().Matches(await File.ReadAllTextAsync(Path.Combine(Tool.Root, "ops", "prometheus", "singleflight.rules.yml")))
            .Select(match => match.Value).Where(IsSeries).ToHashSet();
        Assert.Subset(exported, onDashboard);
        Assert.Subset(exported, inRules);
        Assert.Empty(exported.Where(name => !HistogramPart().IsMatch(name)).Except(onDashboard));
        Assert.Contains("singleflight_flight_duration_seconds_bucket", exported);
    }

    [Fact]
    public async Task Prometheus_understands_every_expression_of_the_dashboard()
    {
        Tool.NeedsPrometheus();
        await using var backend = await WeatherBackend.StartAsync();
        await using var app = await WeatherApp.StartAsync(backend.Address, 0);
        await using var prometheus = await PrometheusServer.StartAsync(PrometheusServer.Find()!, app.Address, CancellationToken.None);
        foreach (var expression in Expressions)
        {
            var asked = expression.Replace("$__rate_interval", "1m", StringComparison.Ordinal)
                .Replace("$job", ".*", StringComparison.Ordinal)
                .Replace("$name", ".*", StringComparison.Ordinal);
            await prometheus.QueryAsync(asked, CancellationToken.None); // throws if Prometheus does not understand it
        }
    }

    // Labels have the same prefix as metrics.
    private static bool IsSeries(string name) => name is not ("singleflight_name" or "singleflight_role" or "singleflight_outcome");

    [GeneratedRegex(@"\bsingleflight_[a-z_]+\b")]
    private static partial Regex MetricName();

    // The dashboard draws histograms from their buckets. Comments name histograms without a suffix.
    [GeneratedRegex("_(sum|count|seconds|subscribers|size)$|^singleflight_subscribers$")]
    private static partial Regex HistogramPart();
}
