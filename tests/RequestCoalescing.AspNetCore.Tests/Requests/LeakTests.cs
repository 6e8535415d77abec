using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Ways by which something of one caller could reach another.</summary>
public sealed class LeakTests
{
    [Fact]
    public async Task Route_values_that_earlier_middleware_has_set_are_part_of_the_key()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseRouting();
            app.Use(static (context, next) =>
            {
                context.Request.RouteValues["tenant"] = context.Request.Headers["X-Tenant"].ToString();
                return next(context);
            });
            app.UseRequestCoalescing();
        });
        await AssertEachGetsItsOwnAsync(app, "X-Tenant", static context => $"{context.Request.RouteValues["tenant"]}");
    }

    [Fact]
    public async Task Another_split_of_PathBase_and_Path_is_another_key()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedPrefix });
            app.UseRouting();
            app.UseRequestCoalescing();
        });
        var requests = new[] { app.GetAsync("/stage/b", ("X-Forwarded-Prefix", "/stage")), app.GetAsync("/stage/stage/b") };
        for (var run = 0; run < 2; run++)
        {
            var exchange = await app.NextRunAsync();
            await exchange.RespondAsync($"{exchange.Context.Request.PathBase}|{exchange.Context.Request.Path}");
        }

        Assert.Equal(["/stage|/stage/b", "|/stage/stage/b"], await TextsAsync(requests));
    }

    [Theory]
    [InlineData("claim")]
    [InlineData("unauthenticated")]
    [InlineData("added identity")]
    [InlineData("value type")]
    [InlineData("bootstrap")]
    [InlineData("actor")]
    public async Task What_the_endpoint_sees_of_the_user_is_in_the_key(string where)
    {
        await using var app = await App.StartAsync(
            policies: static requests => requests.AddDefaultPolicy(static policy => policy.VaryByUser()),
            pipeline: app =>
            {
                app.Use((context, next) =>
                {
                    context.User = UserOf(context.Request.Headers["X-Caller"].ToString(), where);
                    return next(context);
                });
                app.UseRequestCoalescing();
            });
        if (where is not ("bootstrap" or "actor"))
        {
            await AssertEachGetsItsOwnAsync(app, "X-Caller", context => Sees(context.User, where));
            return;
        }

        // They are no part of the key, and the endpoint sees none.
        var requests = await app.GetTogetherAsync(2);
        var run = await app.NextRunAsync();
        Assert.Equal("", Sees(run.Context.User, where));
        await run.RespondAsync("");
        await Task.WhenAll(requests).SoonAsync();
    }

    [Fact]
    public async Task Baggage_and_tags_of_the_leader_do_not_reach_the_endpoint_and_the_trace_does()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                Activity.Current?.SetTag("enduser.id", "ann");
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/activity", static () =>
            {
                var tags = new List<object?>();
                for (var activity = Activity.Current; activity is not null; activity = activity.Parent) tags.Add(activity.GetTagItem("enduser.id"));
                return $"{Activity.Current?.TraceId} {Activity.Current?.Baggage.Count()} {string.Join(",", tags.Where(static tag => tag is not null))}";
            }).WithRequestCoalescing();
        });
        var response = await app.GetAsync("/activity", ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("baggage", "user=ann")).SoonAsync();
        Assert.Equal("0af7651916cd43dd8448eb211c80319c 0 ", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Values_that_UTF8_cannot_write_are_kept_apart()
    {
        await using var app = await App.StartAsync(policies: static requests => requests.AddDefaultPolicy(static policy =>
            policy.VaryByValue("caller", static context => context.Request.Headers["X-Caller"] == "ann" ? "\ud800" : "\ud801")));
        await AssertEachGetsItsOwnAsync(app, "X-Caller", static context => (string?)context.Items["caller"] == "\ud800" ? "ann" : "ben");
    }

    [Fact]
    public async Task A_header_that_the_response_varies_by_keeps_callers_apart()
    {
        await using var app = await App.StartAsync();
        var requests = new[] { app.GetAsync("/stage", ("X-Caller", "ann")), app.GetAsync("/stage", ("X-Caller", "ben")), app.GetAsync("/stage") };
        await app.Flights.UntilSubscribersAsync(3);
        for (var run = 0; run < 3; run++)
        {
            var exchange = await app.NextRunAsync();
            await exchange.RespondAsync(exchange.Headers.GetValueOrDefault("X-Caller") ?? "", 200, ("Vary", "X-Caller"));
        }

        Assert.Equal(["ann", "ben", ""], await TextsAsync(requests));
    }

    [Theory]
    [InlineData("Cookie", "a=1", "b=2")]
    [InlineData("X-Many", "a", "b")]
    public async Task Repeated_headers_reach_the_endpoint_as_they_were_sent(string name, string one, string two)
    {
        await using var app = await App.StartAsync(policies: requests => requests.AddDefaultPolicy(policy => policy.VaryByHeader(name)));
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, app.Client.BaseAddress!.Port);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /stage HTTP/1.1\r\nHost: localhost\r\n{name}: {one}\r\n{name}: {two}\r\n\r\n"));
        var run = await app.NextRunAsync();
        Assert.Equal([one, two], run.Context.Request.Headers[name].ToArray());
        await run.RespondAsync("");
    }

    [Fact]
    public async Task The_culture_of_the_caller_is_that_of_the_run()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                // As UseRequestLocalization does. The tests run without cultures.
                var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
                culture.NumberFormat.NumberDecimalSeparator = ",";
                CultureInfo.CurrentCulture = culture;
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/culture", static () => string.Create(CultureInfo.CurrentCulture, $"{1.5}")).WithRequestCoalescing();
        });
        Assert.Equal("1,5", await app.Client.GetStringAsync("/culture"));
    }

    [Fact]
    public async Task A_leader_whose_response_is_not_shared_gets_the_one_that_it_would_get_alone()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                context.User = UserOf("ann", "claim"); // for example by a certificate
                return next(context);
            });
            app.UseRequestCoalescing();
            app.MapGet("/me", static (ClaimsPrincipal user) => user.Identity!.IsAuthenticated ? Results.Text(user.FindFirst("tenant")!.Value) : Results.Unauthorized()).WithRequestCoalescing();
        });
        Assert.Equal(["ann", "ann"], await TextsAsync(app.GetAsync("/me"), app.GetAsync("/me")));
    }

    [Fact]
    public async Task Settings_do_not_override_what_the_policy_says_of_credentials()
    {
        await using var app = await App.StartAsync(
            policies: static requests => requests.AddDefaultPolicy(static policy => policy.Configure(static http => (http.AllowAuthorization, http.AllowCookies, http.SendsUserAgent) = (true, true, true))));
        var request = app.GetAsync("/stage", ("Authorization", "ann"));
        var run = await app.NextRunAsync();
        Assert.Equal("ann", run.Headers["Authorization"]);
        await run.RespondAsync("");
        await request.SoonAsync();
        Assert.Equal(0, app.Flights.GetStats().Flights);
    }

    private static async Task AssertEachGetsItsOwnAsync(App app, string header, Func<HttpContext, string> see)
    {
        var requests = new[] { app.GetAsync("/stage", (header, "ann")), app.GetAsync("/stage", (header, "ben")) };
        await app.Flights.UntilSubscribersAsync(2);
        for (var run = 0; run < 2; run++)
        {
            var exchange = await app.NextRunAsync();
            await exchange.RespondAsync(see(exchange.Context));
        }

        Assert.Equal(["ann", "ben"], await TextsAsync(requests));
    }

    private static ClaimsPrincipal UserOf(string caller, string where)
    {
        var (claim, same) = (new Claim("tenant", caller), new Claim(ClaimTypes.Name, "same"));
        return new ClaimsPrincipal(where switch
        {
            "claim" => [new ClaimsIdentity([same, claim], "test")],
            "unauthenticated" => [new ClaimsIdentity([claim])],
            "added identity" => [new ClaimsIdentity([same], "test"), new ClaimsIdentity([claim])],
            "value type" => [new ClaimsIdentity([new Claim(ClaimTypes.Name, "same", caller)], "test")],
            "bootstrap" => [new ClaimsIdentity([same], "test") { BootstrapContext = caller }],
            _ => [new ClaimsIdentity([same], "test") { Actor = new ClaimsIdentity([claim], "actor") }],
        });
    }

    private static string Sees(ClaimsPrincipal user, string where) => where switch
    {
        "value type" => user.Claims.First().ValueType,
        "bootstrap" => ((ClaimsIdentity)user.Identity!).BootstrapContext as string ?? "",
        "actor" => ((ClaimsIdentity)user.Identity!).Actor?.Claims.First().Value ?? "",
        _ => user.FindFirst("tenant")?.Value ?? "",
    };

    private static async Task<string[]> TextsAsync(params Task<HttpResponseMessage>[] requests) =>
        await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync().SoonAsync()));
}
