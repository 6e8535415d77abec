using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.AspNetCore.Tests.Requests.Pages;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Razor pages, and the tokens of their forms.</summary>
public sealed partial class PageTests
{
    [Fact]
    public async Task A_page_coalesces_by_the_attribute_of_its_model()
    {
        await using var app = await StartAsync(static app => app.UseRequestCoalescing());
        var requests = await app.GetTogetherAsync(5, "/feed/news");
        var other = app.GetAsync("/feed/sports");
        await app.Flights.UntilSubscribersAsync(6);
        app.Services.GetRequiredService<Stage>().Open();
        var pages = await Task.WhenAll((await Task.WhenAll(requests).SoonAsync()).Select(static response => response.Content.ReadAsStringAsync()));
        Assert.Single(pages.Distinct());
        Assert.Matches("<p>news: run [12]</p>", pages[0]);
        Assert.Matches("<p>sports: run [12]</p>", await (await other.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal(2, app.Services.GetRequiredService<Stage>().Runs);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("before")]
    [InlineData("after")]
    public async Task The_token_of_a_form_is_for_one_caller(string antiforgery)
    {
        await using var app = await StartAsync(app =>
        {
            if (antiforgery == "before") app.UseAntiforgery();
            app.UseRequestCoalescing();
            if (antiforgery == "after") app.UseAntiforgery();
        });
        app.Services.GetRequiredService<Stage>().Open();
        var callers = await Task.WhenAll((await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => app.GetAsync("/form"))).SoonAsync()).Select(static async response => (
            Cookie: response.Headers.GetValues("Set-Cookie").Single().Split(';')[0],
            Token: Token().Match(await response.Content.ReadAsStringAsync()).Groups["token"].Value)));
        Assert.Equal(4, callers.Select(static caller => caller.Cookie).Distinct().Count());
        Assert.Equal(4, callers.Select(static caller => caller.Token).Distinct().Count());
        foreach (var caller in callers) Assert.Equal(HttpStatusCode.OK, await PostAsync(app, caller.Cookie, caller.Token));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(app, callers[0].Cookie, callers[1].Token));

        // Even callers with one cookie get tokens of their own: a page with a token is not stored.
        var again = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => app.GetAsync("/form", ("Cookie", callers[0].Cookie)))).SoonAsync();
        var tokens = await Task.WhenAll(again.Select(static async response => Token().Match(await response.Content.ReadAsStringAsync()).Groups["token"].Value));
        Assert.Equal(2, tokens.Distinct().Count());
        Assert.All(again, static response => Assert.True(response.Headers.CacheControl!.NoStore));
    }

    [Fact]
    public async Task The_policy_of_a_page_is_checked_at_the_start()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => App.StartAsync(services: AddPages, pipeline: static app =>
        {
            app.UseRequestCoalescing();
            app.MapRazorPages();
        }));
        Assert.Contains("'form', which does not exist", error.Message, StringComparison.Ordinal);
    }

    private static Task<App> StartAsync(Action<WebApplication> pipeline) => App.StartAsync(
        policies: static requests => requests.AddPolicy("form", static policy => policy.VaryByCookies()),
        services: AddPages,
        pipeline: app =>
        {
            pipeline(app);
            app.MapRazorPages();
        });

    private static void AddPages(IServiceCollection services)
    {
        services.AddSingleton<Stage>();
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddRazorPages(static pages => pages.RootDirectory = "/Requests/Pages");
    }

    private static async Task<HttpStatusCode> PostAsync(App app, string cookie, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/form") { Content = new FormUrlEncodedContent([new("__RequestVerificationToken", token)]) };
        request.Headers.Add("Cookie", cookie);
        return (await app.Client.SendAsync(request).SoonAsync()).StatusCode;
    }

    [GeneratedRegex("name=\"__RequestVerificationToken\" type=\"hidden\" value=\"(?<token>[^\"]+)\"")]
    private static partial Regex Token();
}
