using Microsoft.Playwright;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>A headless Chromium that is installed on the machine.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly string[] s_places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable"];

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Browser(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    /// <summary>Starts the browser. Skips the test if there is none.</summary>
    public static async Task<Browser> StartAsync()
    {
        var path = Environment.GetEnvironmentVariable("CHROMIUM_PATH") ?? s_places.FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, "There is no browser here: install Chromium (Debian: apt-get install chromium), or name one in CHROMIUM_PATH.");
        var playwright = await Playwright.CreateAsync();
        return new Browser(playwright, await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = path,
            Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        }));
    }

    public Task<IPage> OpenAsync(string address, int width, int height, ColorScheme colors) => OpenAsync(address, new BrowserNewPageOptions
    {
        ViewportSize = new ViewportSize { Width = width, Height = height },
        ColorScheme = colors,
    });

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    private async Task<IPage> OpenAsync(string address, BrowserNewPageOptions options)
    {
        var page = await _browser.NewPageAsync(options);
        await page.GotoAsync(address);
        return page;
    }
}
