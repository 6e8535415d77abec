using System.Diagnostics;
using System.Globalization;

namespace Monitored;

/// <summary>The app works, the backend hangs and the alert fires. When the backend answers again, the alert ends.</summary>
internal static class Story
{
    private const string Alert = "SingleflightAbandonedWork";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public static async Task<int> TellAsync(int port, double? trouble, bool serve, CancellationToken cancellationToken)
    {
        if (PrometheusServer.Find() is not { } executable)
        {
            await Console.Error.WriteLineAsync("Prometheus is not installed here (Debian: apt-get install prometheus).");
            return 1;
        }

        await using var backend = await WeatherBackend.StartAsync();
        await using var app = await WeatherApp.StartAsync(backend.Address, port);
        await using var prometheus = await PrometheusServer.StartAsync(executable, app.Address, cancellationToken);
        await using var visitors = new Visitors(app.Address);
        visitors.Start();
        var start = Stopwatch.GetTimestamp();
        Say($"The app is at {app.Address}singleflight, its metrics at {app.Address}metrics, Prometheus at {prometheus.Address}");

        const string HitRate = """sum(rate(singleflight_calls_total{singleflight_role="follower"}[10s])) / sum(rate(singleflight_calls_total[10s]))""";
        double? hitRate = null;
        await UntilAsync(async () => (hitRate = await prometheus.QueryAsync(HitRate, cancellationToken)) > 0.5, "the metrics are scraped");
        Say($"Prometheus scrapes: {Percent(hitRate)} of the calls are coalesced, {Alert} {(await FiringAsync() is null ? "is silent" : "fires")}");

        backend.Hang();
        var hungSince = Stopwatch.GetTimestamp();
        Say("The backend hangs.");
        string? summary = null;
        await UntilAsync(async () => (summary = await FiringAsync()) is not null, "the alert fires");
        Say($"{Alert} fires: {summary}");
        using (var client = new HttpClient()) Say($"The health check reports {await client.GetStringAsync($"{app.Address}health", cancellationToken)}.");

        await HoldAsync();
        backend.Recover();
        Say("The backend answers again.");
        await UntilAsync(async () => await FiringAsync() is null, "the alert is over");
        Say($"{Alert} is silent.");

        if (serve)
        {
            Say("Everything keeps running until Ctrl+C.");
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return 0;

        Task<string?> FiringAsync() => prometheus.FiringAsync(Alert, cancellationToken);

        void Say(string text) => Console.WriteLine($"{Stopwatch.GetElapsedTime(start).TotalSeconds.ToString("F1", CultureInfo.InvariantCulture),6} s  {text}");

        // The user may want to look at the live page while the backend hangs.
        async Task HoldAsync()
        {
            if (trouble is { } seconds)
            {
                Say(string.Create(CultureInfo.InvariantCulture, $"The backend hangs for {seconds} s in all. Open {app.Address}singleflight to see it."));
                var left = TimeSpan.FromSeconds(seconds) - Stopwatch.GetElapsedTime(hungSince);
                if (left > TimeSpan.Zero) await Task.Delay(left, cancellationToken);
            }
            else if (!Console.IsInputRedirected)
            {
                Say($"The backend hangs until you press a key. Open {app.Address}singleflight to see it.");
                while (!Console.KeyAvailable) await Task.Delay(100, cancellationToken);
                Console.ReadKey(intercept: true);
            }
        }

        async Task UntilAsync(Func<Task<bool>> condition, string goal)
        {
            var since = Stopwatch.GetTimestamp();
            while (!await condition())
            {
                if (Stopwatch.GetElapsedTime(since) > s_patience) throw new TimeoutException($"Timed out waiting until {goal}.");
                await Task.Delay(250, cancellationToken);
            }
        }
    }

    private static string Percent(double? value) => string.Create(CultureInfo.InvariantCulture, $"{value * 100:F0} %");
}
