using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>Tests the live page in a real browser.</summary>
public sealed partial class DashboardTests
{
    private const string HostileKey = "<img src=x onerror=\"document.title='broken in'\">";

    [Fact]
    public async Task The_page_is_one_document_that_loads_nothing_from_other_servers()
    {
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        using var response = await host.Client.GetAsync("/singleflight");
        var html = await response.Content.ReadAsStringAsync();
        Assert.DoesNotMatch("(src|href)=\"(?!data:)", html);
        Assert.DoesNotContain("{nonce}", html, StringComparison.Ordinal);
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'nonce-", policy, StringComparison.Ordinal);
        Assert.Contains("; img-src data:;", policy, StringComparison.Ordinal); // its own icon
        using var again = await host.Client.GetAsync("/singleflight");
        Assert.NotEqual(policy, Assert.Single(again.Headers.GetValues("Content-Security-Policy")));
    }

    [Theory]
    [InlineData("/singleflight")]
    [InlineData("/singleflight/")]
    [InlineData("/ops/coalescing")]
    public async Task The_page_shows_running_flights_and_updates_itself(string path)
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard(path.TrimEnd('/')));
        var page = await browser.OpenAsync($"{host.Address}{path}", 1200, 800, ColorScheme.Light);
        var errors = ErrorsOf(page);
        await page.ReloadAsync(); // now the test listens for errors
        var posts = page.Locator("[data-instance=default]");
        await Assertions.Expect(posts.Locator("[data-table=flights]")).ToContainTextAsync("Nothing is in flight.");
        await Assertions.Expect(page.Locator("[data-instance=weather]")).ToBeVisibleAsync();

        var callers = Enumerable.Range(0, 5).Select(_ => host.Posts.ExecuteAsync("user:7", host.Backend.RunAsync).AsTask()).ToArray();
        await Assertions.Expect(posts.Locator("[data-value=in-flight]")).ToHaveTextAsync("1");
        await Assertions.Expect(posts.Locator("[data-table=flights] tbody tr")).ToHaveCountAsync(1);
        await Assertions.Expect(posts.Locator("[data-table=flights] tbody td").Nth(3)).ToHaveTextAsync("5");
        await Assertions.Expect(posts.Locator("[data-value=ratio]")).ToHaveTextAsync("80.0 %");
        Assert.DoesNotContain("user:7", await page.ContentAsync(), StringComparison.Ordinal);

        (await host.Backend.NextRunAsync()).Fail(new InvalidTimeZoneException("The zone of 7 is gone.\nA second line."));
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => Task.WhenAll(callers));
        await Assertions.Expect(posts.Locator("[data-table=failures] tbody td").First).ToContainTextAsync("InvalidTimeZoneExceptionThe zone of … is gone.");
        await Assertions.Expect(posts.Locator("[data-value=in-flight]")).ToHaveTextAsync("0");
        Assert.DoesNotContain("A second line", await page.ContentAsync(), StringComparison.Ordinal);
        await Assertions.Expect(posts.Locator("[data-value=errors]")).ToHaveTextAsync("100.0 %");
        await Assertions.Expect(posts.Locator("[data-value=flight-p50]")).ToHaveTextAsync(Duration());
        await Assertions.Expect(posts.Locator("[data-value=wait-p99]")).ToHaveTextAsync(Duration());
        Assert.Empty(errors);
    }

    [Fact]
    public async Task A_hostile_key_is_shown_as_text()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(
            app => app.MapSingleflightDashboard(),
            services => services.AddSingleflight().WithTelemetry(options => options.KeyRedaction = KeyRedaction.Plain));
        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1200, 800, ColorScheme.Light);
        _ = host.Posts.ExecuteAsync(HostileKey, host.Backend.RunAsync).AsTask();
        await Assertions.Expect(page.Locator("[data-instance=default] [data-table=flights] td").First).ToHaveTextAsync(HostileKey);
        Assert.Equal("Singleflight", await page.TitleAsync());
        Assert.Equal(0, await page.Locator("img").CountAsync());
    }

    [Fact]
    public async Task The_page_shows_a_lost_connection_and_recovers_from_it()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1200, 800, ColorScheme.Light);
        await Assertions.Expect(page.Locator("#state")).ToContainTextAsync("2 instances");
        await page.Context.SetOfflineAsync(true);
        await Assertions.Expect(page.Locator("#state.lost")).ToContainTextAsync("old. Trying again");
        await Assertions.Expect(page.Locator("main")).ToHaveCSSAsync("filter", "grayscale(1)");
        await page.Context.SetOfflineAsync(false);
        await Assertions.Expect(page.Locator("#state")).ToContainTextAsync("2 instances");
        await Assertions.Expect(page.Locator("main")).ToHaveCSSAsync("filter", "none");
    }

    [Fact]
    public async Task A_hanging_backend_is_visible()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(
            app => app.MapSingleflightDashboard(),
            services => services.AddSingleflight(options => options.MaxDuration = TimeSpan.FromMilliseconds(500)));
        var hung = Enumerable.Range(0, 3).Select(key => host.Posts.ExecuteAsync($"post:{key}", host.Backend.RunStubbornAsync).AsTask()).ToArray();
        foreach (var call in hung) await call.ThrowsAsync<FlightTimeoutException>();

        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1280, 900, ColorScheme.Light);
        var posts = page.Locator("[data-instance=default]");
        await Assertions.Expect(posts.Locator("[data-table=flights] tbody tr.bad")).ToHaveCountAsync(3);
        await Assertions.Expect(posts.Locator("[data-table=flights] h3")).ToHaveTextAsync("In flight: 0, abandoned: 3");
        await Assertions.Expect(posts.Locator(".badge.bad").First).ToHaveTextAsync("3 abandoned");
        await Assertions.Expect(posts.Locator(".tile.bad [data-value=in-flight] + small")).ToHaveTextAsync("and 3 abandoned");
        await Assertions.Expect(posts.Locator("[data-table=failures]")).ToContainTextAsync("FlightTimeoutExceptionThe work did not end within MaxDuration");
        await Assertions.Expect(posts.Locator(".badge.bad").Nth(1)).ToContainTextAsync("3 timed out in"); // from before the page was opened
        for (var i = 0; i < 3; i++) (await host.Backend.NextRunAsync()).Succeed(1);
        await Assertions.Expect(posts.Locator("[data-table=flights]")).ToContainTextAsync("Nothing is in flight.");
    }

    [Fact]
    public async Task The_history_is_older_than_the_page_and_is_loaded_once()
    {
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        await host.Posts.ExecuteAsync("a", static _ => ValueTask.FromResult(1));
        var samples = await SamplesAfter(0);
        for (var start = Stopwatch.GetTimestamp(); samples.Length < 2 && Stopwatch.GetElapsedTime(start) < Patience.Limit;) samples = await SamplesAfter(0);
        Assert.Equal(1, samples.Sum(sample => sample[2].GetInt32()));
        var last = samples[^1][0].GetInt64();
        Assert.All(await SamplesAfter(last), sample => Assert.True(sample[0].GetInt64() > last));

        async Task<JsonElement[]> SamplesAfter(long number)
        {
            var data = await host.Client.GetFromJsonAsync<JsonElement>($"/singleflight/data?after={number}");
            return [.. data.GetProperty("instances")[0].GetProperty("samples").EnumerateArray()];
        }
    }

    [Fact]
    public async Task The_page_shows_the_node_the_version_the_uptime_and_the_settings()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(
            app => app.MapSingleflightDashboard(),
            services => services.AddSingleflight(options => options.MaxInFlight = 77).WithRollout(rollout => rollout.Enabled = false));
        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1280, 900, ColorScheme.Light);
        await Assertions.Expect(page.Locator("[data-value=node]")).ToHaveTextAsync(Environment.MachineName);
        await Assertions.Expect(page.Locator("[data-value=uptime]")).ToContainTextAsync("up ");
        await Assertions.Expect(page.Locator("#process")).ToContainTextAsync("RequestCoalescing 0.");
        var posts = page.Locator("[data-instance=default]");
        await posts.Locator("summary").ClickAsync(); // the card is folded, because the instance is idle
        await Assertions.Expect(posts.Locator(".settings")).ToHaveTextAsync(new Regex("MaxDuration 30 s.*MaxInFlight 77.*rollout off.*verification off"));
        await Assertions.Expect(posts.Locator(".badge").First).ToHaveTextAsync("coalescing is off");
        await Assertions.Expect(page.Locator("#legend")).ToContainTextAsync("KeyRedactionSecret");
    }

    [Theory]
    [InlineData(1280, 900, ColorScheme.Light)]
    [InlineData(390, 844, ColorScheme.Dark)]
    public async Task Each_idle_instance_takes_one_line(int width, int height, ColorScheme colors)
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        var page = await browser.OpenAsync($"{host.Address}/singleflight", width, height, colors);
        await Assertions.Expect(page.Locator("details:not([open]) .badge")).ToHaveTextAsync(["idle", "idle"]);
        Assert.True(await page.EvaluateAsync<int>("document.body.scrollHeight") < 1000);
    }

    [Theory]
    [InlineData(1280, 900, ColorScheme.Light)]
    [InlineData(1280, 900, ColorScheme.Dark)]
    [InlineData(360, 740, ColorScheme.Light)]
    [InlineData(360, 740, ColorScheme.Dark)]
    public async Task The_page_fits_a_desktop_and_a_phone_in_light_and_dark(int width, int height, ColorScheme colors)
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        var page = await browser.OpenAsync($"{host.Address}/singleflight", width, height, colors);
        var errors = ErrorsOf(page);
        for (var key = 0; key < 12; key++)
        {
            for (var caller = 0; caller <= key * 3; caller++) _ = host.Posts.ExecuteAsync($"post:{key}", host.Backend.RunAsync).AsTask();
        }

        for (var failure = 0; failure < 3; failure++)
        {
            await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await host.Weather.ExecuteAsync("a", ValueTask<int> (_) => throw new InvalidTimeZoneException()));
        }

        await Assertions.Expect(page.Locator("[data-instance=default] [data-table=flights] tbody tr")).ToHaveCountAsync(12);
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "The page is wider than its window.");

        // The contrast of text on its card, by the formula of WCAG 2.2 (1.4.3).
        var contrast = await page.EvaluateAsync<double>("""
            () => {
              const light = color => color.match(/[\d.]+/g).slice(0, 3).map(Number).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
              const card = light(getComputedStyle(document.querySelector("details")).backgroundColor);
              return Math.min(...["dd", "dt", "h2", "h3", "td", "small", "figcaption", "th", ".settings"].map(what => {
                const text = light(getComputedStyle(document.querySelector("details " + what)).color);
                return (Math.max(text, card) + 0.05) / (Math.min(text, card) + 0.05);
              }));
            }
            """);
        Assert.True(contrast >= 4.5, $"The contrast is only {contrast:F1}.");
        // The height of a table does not depend on its content, so that it does not move the page. No word is broken or wider than its box.
        Assert.Equal(172, await page.Locator("[data-instance=default] [data-table=flights] .scroll").EvaluateAsync<int>("box => box.offsetHeight"));
        Assert.Equal(
            0,
            await page.EvaluateAsync<int>("[...document.querySelectorAll('[data-instance=default] :is(dt, dd, small, .badge, figcaption span)')].filter(text => text.scrollWidth > text.clientWidth + 1 && text.clientWidth > 0).length"));
        Assert.Empty(errors);
    }

    [GeneratedRegex(@"^[\d.]+ m?s$")]
    private static partial Regex Duration();

    private static ConcurrentQueue<string> ErrorsOf(IPage page)
    {
        var errors = new ConcurrentQueue<string>();
        page.PageError += (_, error) => errors.Enqueue(error);
        page.Console += (_, message) =>
        {
            if (message.Type == "error") errors.Enqueue(message.Text);
        };
        return errors;
    }
}
