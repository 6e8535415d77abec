using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>The context of a run has what is in the key, and nothing else of the leader. Its services are those of the flight.</summary>
public sealed class FlightContextTests
{
    private static readonly (string, string)[] s_ofOneCaller = [("X-Tenant", "7"), ("User-Agent", "mine"), ("X-Forwarded-For", "1.2.3.4"), ("Referer", "http://localhost/secret"), ("Accept-Language", "de")];

    [Fact]
    public async Task The_endpoint_sees_only_what_is_in_the_key()
    {
        await using var app = await App.StartAsync(pipeline: static app =>
        {
            app.Use(static (context, next) =>
            {
                context.User = UserOf("ann");
                context.Items["secret"] = 1;
                return next(context);
            });
            app.UseRequestCoalescing();
        });
        var request = app.GetAsync("/stage/a?b=c", s_ofOneCaller);
        var run = await app.NextRunAsync();
        Assert.Equal(["accept-language", "host"], run.Headers.Keys.Select(static name => name.ToLowerInvariant()).Order());
        var (context, items) = (run.Context, run.Context.Items);
        Assert.Equal(("/stage/a", "?b=c", "GET", "a"), (context.Request.Path.Value, context.Request.QueryString.Value, context.Request.Method, context.Request.RouteValues["rest"]));
        Assert.Equal((false, null, null, false), (context.User.Identity!.IsAuthenticated, context.User.FindFirst("tenant")?.Value, context.Connection.RemoteIpAddress, items.ContainsKey("secret")));
        Assert.Empty(context.Request.Cookies);
        Assert.Equal(0, await context.Request.Body.ReadAsync(new byte[1]));
        await run.RespondAsync("");
        await request.SoonAsync();
    }

    [Fact]
    public async Task Reads_outside_the_key_are_reported_once_in_Development()
    {
        await using var app = await App.StartAsync(environment: "Development", policies: static requests => requests.AddDefaultPolicy(static policy => policy.VaryByHeader("X-Known")));
        for (var round = 0; round < 2; round++)
        {
            var request = app.GetAsync("/stage", s_ofOneCaller);
            var run = await app.NextRunAsync();
            _ = run.Context.Request.Headers["X-Known"];
            _ = run.Context.Request.Headers.Accept;
            _ = run.Context.Request.Headers["x-tenant"];
            _ = run.Context.Request.Cookies["a"];
            _ = run.Context.User;
            _ = run.Context.Connection.RemoteIpAddress;
            await run.RespondAsync("");
            Assert.Empty(await (await request.SoonAsync()).Content.ReadAsStringAsync().SoonAsync()); // while the body arrives, the next request would join it
        }

        var reports = app.Logs.GetSnapshot().Where(static record => record.Id.Name == "ReadOutsideKey").Select(static record => record.GetStructuredStateValue("Missing")).ToList();
        Assert.Equal(
            ["VaryByCookies()", "VaryByHeader(\"x-tenant\")", "VaryByUser()", "VaryByValue(\"address\", context => context.Connection.RemoteIpAddress?.ToString())"],
            reports.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Reads_outside_the_key_are_not_reported_in_production()
    {
        await using var app = await App.StartAsync();
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        _ = run.Context.Request.Headers["X-Tenant"];
        await run.RespondAsync("");
        await request.SoonAsync();
        Assert.DoesNotContain(app.Logs.GetSnapshot(), static record => record.Id.Name == "ReadOutsideKey");
    }

    [Fact]
    public async Task Scoped_services_are_those_of_the_flight_and_live_until_its_end()
    {
        await using var app = await App.StartAsync(services: static services => services.AddScoped<Scoped>());
        using var leaving = new CancellationTokenSource();
        var leader = app.SendAsync(HttpMethod.Get, "/stage", leaving.Token);
        var run = await app.NextRunAsync();
        var scoped = run.Context.RequestServices.GetRequiredService<Scoped>();
        var other = app.GetAsync();
        await app.Flights.UntilSubscribersAsync(2);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
        await app.Flights.UntilSubscribersAsync(1);
        Assert.False(scoped.Disposed.IsCompleted);
        await run.RespondAsync("whole");
        Assert.Equal("whole", await (await other.SoonAsync()).Content.ReadAsStringAsync());
        await scoped.Disposed.SoonAsync();
    }

    [Fact]
    public async Task Each_caller_keeps_its_own_context_in_IHttpContextAccessor()
    {
        var seen = new TaskCompletionSource<string?>();
        await using var app = await App.StartAsync(
            services: static services => services.AddHttpContextAccessor(),
            pipeline: app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    seen.TrySetResult(context.RequestServices.GetRequiredService<IHttpContextAccessor>().HttpContext == context ? "its own" : "another");
                });
                app.UseRequestCoalescing();
            });
        var request = app.GetAsync();
        var run = await app.NextRunAsync();
        await run.RespondAsync("");
        await request.SoonAsync();
        Assert.Equal("its own", await seen.Task.SoonAsync());
    }

    [Fact]
    public async Task The_endpoint_sees_its_own_context_in_IHttpContextAccessor()
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddHttpContextAccessor(),
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.MapGet("/accessor", static (HttpContext context, IHttpContextAccessor accessor) => accessor.HttpContext == context && context.Request.Headers.UserAgent.Count == 0).WithRequestCoalescing();
            });
        Assert.Equal("true", await app.Client.GetStringAsync("/accessor"));
    }

    [Theory]
    [InlineData("header", true)]
    [InlineData("cookies", true)]
    [InlineData("authorization", true)]
    [InlineData("value", true)]
    [InlineData("user", true)]
    [InlineData("no cookies", false)]
    public async Task A_policy_keeps_apart_what_it_varies_by(string by, bool keepsApart)
    {
        await using var app = await App.StartAsync(
            policy: "p",
            policies: requests => requests.AddPolicy("p", policy => _ = by switch
            {
                "header" => policy.VaryByHeader("X-Caller"),
                "cookies" => policy.VaryByCookies(),
                "authorization" => policy.VaryByAuthorization(),
                "value" => policy.VaryByValue("caller", static context => context.Request.Headers["X-Caller"]),
                "user" => policy.VaryByUser(),
                _ => policy.IgnoreCookies(),
            }),
            pipeline: static app =>
            {
                app.Use(static (context, next) =>
                {
                    context.User = UserOf(context.Request.Headers["X-Caller"].ToString());
                    return next(context);
                });
                app.UseRequestCoalescing();
            });
        var header = by switch
        {
            "cookies" or "no cookies" => "Cookie",
            "authorization" => "Authorization",
            _ => "X-Caller",
        };
        var requests = new[] { "ann", "ben", "ann", "ben" }.Select(caller => app.GetAsync("/stage", (header, caller))).ToArray();
        await app.FlightsOf("requests-p").UntilSubscribersAsync(4);
        for (var run = 0; run < (keepsApart ? 2 : 1); run++)
        {
            var exchange = await app.NextRunAsync();
            Assert.Equal(by != "no cookies", Sees(exchange.Context) is "ann" or "ben");
            await exchange.RespondAsync(Sees(exchange.Context));
        }

        var bodies = await Task.WhenAll(requests.Select(static async request => await (await request.SoonAsync()).Content.ReadAsStringAsync()));
        Assert.Equal(keepsApart ? ["ann", "ben", "ann", "ben"] : ["", "", "", ""], bodies);
        Assert.Equal(keepsApart ? 2 : 1, app.FlightsOf("requests-p").GetStats().Flights);

        string Sees(HttpContext context) => by switch
        {
            "value" => context.Items["caller"] as string ?? "",
            "user" => context.User.Identity?.Name ?? "",
            _ => context.Request.Headers[header].ToString(),
        };
    }

    [Fact]
    public async Task Hosts_and_methods_are_kept_apart()
    {
        await using var app = await App.StartAsync();
        var (first, second) = (app.GetAsync("/stage", ("Host", "one")), app.GetAsync("/stage", ("Host", "two")));
        foreach (var _ in new[] { first, second })
        {
            var run = await app.NextRunAsync();
            await run.RespondAsync(run.Context.Request.Host.Value!);
        }

        Assert.Equal(("one", "two"), (await (await first.SoonAsync()).Content.ReadAsStringAsync(), await (await second.SoonAsync()).Content.ReadAsStringAsync()));
    }

    private static ClaimsPrincipal UserOf(string name) => new(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], "test"));

    private sealed class Scoped : IDisposable
    {
        private readonly TaskCompletionSource _disposed = new();

        public Task Disposed => _disposed.Task;

        public void Dispose() => _disposed.SetResult();
    }
}
