using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>The live page, in a real browser.</summary>
public sealed partial class DashboardTests
{
    private const string HostileKey = "<img src=x onerror=\"document.title='broken in'\">";

    [Fact]
    public async Task The_page_is_one_document_that_may_load_nothing_from_elsewhere()
    {
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        using var response = await host.Client.GetAsync("/singleflight");
        var html = await response.Content.ReadAsStringAsync();
        Assert.DoesNotMatch("(src|href)=\"(?!data:,)", html);
        Assert.DoesNotContain("{nonce}", html, StringComparison.Ordinal);
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'nonce-", policy, StringComparison.Ordinal);
        using var again = await host.Client.GetAsync("/singleflight");
        Assert.NotEqual(policy, Assert.Single(again.Headers.GetValues("Content-Security-Policy")));
    }

    [Theory]
    [InlineData("/singleflight")]
    [InlineData("/singleflight/")]
    [InlineData("/ops/coalescing")]
    public async Task It_shows_what_is_in_the_air_and_goes_on_showing_it(string path)
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard(path.TrimEnd('/')));
        var page = await browser.OpenAsync($"{host.Address}{path}", 1200, 800, ColorScheme.Light);
        var errors = ErrorsOf(page);
        var posts = page.Locator("[data-instance=default]");
        await Assertions.Expect(posts.Locator("[data-table=flights]")).ToContainTextAsync("Nothing is in the air.");
        await Assertions.Expect(page.Locator("[data-instance=weather]")).ToBeVisibleAsync();

        var callers = Enumerable.Range(0, 5).Select(_ => host.Posts.ExecuteAsync("user:7", host.Backend.RunAsync).AsTask()).ToArray();
        await Assertions.Expect(posts.Locator("[data-value=in-flight]")).ToHaveTextAsync("1");
        await Assertions.Expect(posts.Locator("[data-table=flights] tbody tr")).ToHaveCountAsync(1);
        await Assertions.Expect(posts.Locator("[data-table=flights] tbody td").Nth(2)).ToHaveTextAsync("5");
        await Assertions.Expect(posts.Locator("[data-value=ratio]")).ToHaveTextAsync("80.0 %");
        Assert.DoesNotContain("user:7", await page.ContentAsync(), StringComparison.Ordinal);

        (await host.Backend.NextRunAsync()).Fail(new InvalidTimeZoneException("secret"));
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => Task.WhenAll(callers));
        await Assertions.Expect(posts.Locator("[data-table=failures] tbody td").Nth(2)).ToHaveTextAsync("System.InvalidTimeZoneException");
        await Assertions.Expect(posts.Locator("[data-value=in-flight]")).ToHaveTextAsync("0");
        Assert.DoesNotContain("secret", await page.ContentAsync(), StringComparison.Ordinal);
        Assert.Empty(errors);
    }

    [Fact]
    public async Task A_hostile_key_is_text()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(
            app => app.MapSingleflightDashboard(),
            services => Microsoft.Extensions.DependencyInjection.SingleflightBuilderExtensions.WithTelemetry(
                Microsoft.Extensions.DependencyInjection.SingleflightServiceCollectionExtensions.AddSingleflight(services), options => options.KeyRedaction = KeyRedaction.Plain));
        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1200, 800, ColorScheme.Light);
        _ = host.Posts.ExecuteAsync(HostileKey, host.Backend.RunAsync).AsTask();
        await Assertions.Expect(page.Locator("[data-instance=default] [data-table=flights] td").First).ToHaveTextAsync(HostileKey);
        Assert.Equal("Singleflight", await page.TitleAsync());
        Assert.Equal(0, await page.Locator("img").CountAsync());
    }

    [Fact]
    public async Task It_says_when_the_server_is_gone_and_goes_on_when_it_is_back()
    {
        await using var browser = await Browser.StartAsync();
        await using var host = await WebHost.StartAsync(app => app.MapSingleflightDashboard());
        var page = await browser.OpenAsync($"{host.Address}/singleflight", 1200, 800, ColorScheme.Light);
        await Assertions.Expect(page.Locator("#state")).ToContainTextAsync("2 instances");
        await page.Context.SetOfflineAsync(true);
        await Assertions.Expect(page.Locator("#state.lost")).ToContainTextAsync("Trying again");
        await page.Context.SetOfflineAsync(false);
        await Assertions.Expect(page.Locator("#state")).ToContainTextAsync("2 instances");
    }

    [Theory]
    [InlineData(1280, 900, ColorScheme.Light)]
    [InlineData(1280, 900, ColorScheme.Dark)]
    [InlineData(360, 740, ColorScheme.Light)]
    [InlineData(360, 740, ColorScheme.Dark)]
    public async Task It_fits_a_desktop_and_a_phone_light_and_dark(int width, int height, ColorScheme colors)
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

        // Contrast of text on its card, by the formula of WCAG 2.2 (1.4.3).
        var contrast = await page.EvaluateAsync<double>("""
            () => {
              const light = color => color.match(/[\d.]+/g).slice(0, 3).map(Number).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
              const card = light(getComputedStyle(document.querySelector("section")).backgroundColor);
              return Math.min(...["dd", "dt", "h2", "h3", "td", "small", "figcaption"].map(what => {
                const text = light(getComputedStyle(document.querySelector("section " + what)).color);
                return (Math.max(text, card) + 0.05) / (Math.min(text, card) + 0.05);
              }));
            }
            """);
        Assert.True(contrast >= 4.5, $"The contrast is {contrast:F1} only.");
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
        {
            await Assertions.Expect(page.Locator("[data-instance=default] polyline.calls")).ToHaveAttributeAsync("points", ThreePoints());
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"dashboard-{width}-{colors}.png"), FullPage = true });
        }

        Assert.Empty(errors);
    }

    [GeneratedRegex(@"^\S+ \S+ \S+")]
    private static partial Regex ThreePoints();

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
