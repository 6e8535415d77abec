using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>The middleware beside others: in the documented order it works, and a wrong order is an error at the start.</summary>
public sealed class PipelineTests
{
    [Fact]
    public async Task Each_caller_is_authorized_before_it_joins()
    {
        await using var app = await App.StartAsync(
            policies: static requests => requests.AddPolicy("members", static policy => policy.VaryByAuthorization().VaryByUser()),
            services: AddAuthorization,
            pipeline: static app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseRequestCoalescing();
                app.MapGet("/members", static (ClaimsPrincipal user) => user.Identity!.Name).RequireAuthorization().WithRequestCoalescing("members");
            });
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.GetAsync("/members")).StatusCode);
        Assert.Equal("ann", await (await app.GetAsync("/members", ("Authorization", "ann"))).Content.ReadAsStringAsync());
        Assert.Equal("ben", await (await app.GetAsync("/members", ("Authorization", "ben"))).Content.ReadAsStringAsync());
        Assert.Equal(2, app.FlightsOf("requests-members").GetStats().Flights);
    }

    [Fact]
    public async Task Authorization_that_a_WebApplication_adds_itself_comes_first()
    {
        await using var app = await App.StartAsync(
            services: AddAuthorization,
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.MapGet("/members", static () => "members").RequireAuthorization().WithRequestCoalescing();
            });
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.GetAsync("/members")).StatusCode);
        Assert.Equal(0, app.Flights.GetStats().Flights);
    }

    [Theory]
    [InlineData("UseRouting")]
    [InlineData("UseAuthentication")]
    [InlineData("UseAuthorization")]
    public async Task A_wrong_order_is_an_error_at_the_start(string late)
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => App.StartAsync(
            services: AddAuthorization,
            pipeline: app =>
            {
                app.UseRequestCoalescing();
                _ = late switch
                {
                    "UseRouting" => app.UseRouting(),
                    "UseAuthentication" => app.UseAuthentication(),
                    _ => app.UseAuthorization(),
                };
            }));
        Assert.Equal($"Call app.{late}() before app.UseRequestCoalescing().", error.Message);
    }

    [Fact]
    public async Task An_unknown_policy_is_an_error_at_the_start()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => App.StartAsync(policy: "feeed"));
        Assert.Contains("'feeed'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endpoint_that_opts_in_without_the_middleware_is_an_error_at_the_start()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => App.StartAsync(pipeline: static _ => { }));
        Assert.Contains("Call app.UseRequestCoalescing()", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_middleware_without_the_services_is_an_error()
    {
        var app = WebApplication.CreateBuilder().Build();
        Assert.Contains("AddRequestCoalescing", Assert.Throws<InvalidOperationException>(() => app.UseRequestCoalescing()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bad_policies_are_errors_at_the_call()
    {
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("", static _ => { })));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("a:b", static _ => { })));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("a", static _ => { }).AddPolicy("a", static _ => { })));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddDefaultPolicy(static _ => { }).AddDefaultPolicy(static _ => { })));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("a", static policy => policy.VaryByHeader("Content-Type"))));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("a", static policy => policy.VaryByHeader(" "))));
        Assert.Throws<ArgumentException>(() => Add(static requests => requests.AddPolicy("a", static policy => policy.VaryByValue("v", static _ => "").VaryByValue("v", static _ => ""))));
        Assert.Throws<InvalidOperationException>(static () => new ServiceCollection().AddRequestCoalescing().AddRequestCoalescing());

        static void Add(Action<RequestCoalescingBuilder> configure) => new ServiceCollection().AddRequestCoalescing(configure);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Output_caching_works_before_and_after_it(bool cachesFirst)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddOutputCache(static options => options.AddBasePolicy(static policy => policy.Cache().SetLocking(false))),
            pipeline: app =>
            {
                if (cachesFirst) app.UseOutputCache();
                app.UseRequestCoalescing();
                if (!cachesFirst) app.UseOutputCache();
            });
        var requests = await app.GetTogetherAsync(4);
        await (await app.NextRunAsync()).RespondAsync("once");
        foreach (var request in requests) Assert.Equal("once", await (await request.SoonAsync()).Content.ReadAsStringAsync());
        Assert.Equal("once", await (await app.GetAsync().SoonAsync()).Content.ReadAsStringAsync()); // from the cache
        Assert.Equal(cachesFirst ? 1 : 2, app.Flights.GetStats().Flights);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Response_compression_works_before_and_after_it(bool compressesFirst)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddResponseCompression(),
            pipeline: app =>
            {
                if (compressesFirst) app.UseResponseCompression();
                app.UseRequestCoalescing();
                if (!compressesFirst) app.UseResponseCompression();
            });
        var compressed = app.GetAsync("/stage", ("Accept-Encoding", "gzip"));
        var plain = app.GetAsync();
        await app.Flights.UntilSubscribersAsync(2);
        var text = new string('a', 10_000);
        for (var run = 0; run < 2; run++) await (await app.NextRunAsync()).RespondAsync(text, 200, ("Content-Type", "text/plain"));
        Assert.Equal(text, await (await plain.SoonAsync()).Content.ReadAsStringAsync());
        var response = await compressed.SoonAsync();
        Assert.Equal("gzip", response.Content.Headers.ContentEncoding.Single());
        await using var unzipped = new System.IO.Compression.GZipStream(await response.Content.ReadAsStreamAsync(), System.IO.Compression.CompressionMode.Decompress);
        Assert.Equal(text, await new StreamReader(unzipped).ReadToEndAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rate_limit_before_it_counts_callers_and_one_after_it_counts_runs(bool limitsFirst)
    {
        await using var app = await App.StartAsync(
            services: static services => services.AddSingleton<Signal>().AddRateLimiter(static options => options.AddConcurrencyLimiter("one", static limit => limit.PermitLimit = 1)),
            pipeline: app =>
            {
                if (limitsFirst) app.UseRateLimiter();
                app.UseRequestCoalescing();
                if (!limitsFirst) app.UseRateLimiter();
                app.MapGet("/limited", static (Signal signal) => signal.Task).RequireRateLimiting("one").WithRequestCoalescing();
            });
        var requests = Enumerable.Range(0, 5).Select(_ => app.GetAsync("/limited")).ToList();
        await app.Flights.UntilSubscribersAsync(limitsFirst ? 1 : 5);
        if (limitsFirst)
        {
            for (var refused = 0; refused < 4; refused++)
            {
                var first = await Task.WhenAny(requests).SoonAsync();
                Assert.Equal(HttpStatusCode.ServiceUnavailable, (await first).StatusCode);
                requests.Remove(first);
            }
        }

        app.Services.GetRequiredService<Signal>().SetResult();
        foreach (var request in requests) Assert.Equal(HttpStatusCode.OK, (await request.SoonAsync()).StatusCode);
    }

    [Fact]
    public async Task A_controller_coalesces_by_its_attribute()
    {
        await using var app = await App.StartAsync(
            services: static services =>
            {
                services.AddSingleton<Signal>();
                services.AddControllers().AddApplicationPart(typeof(PostsController).Assembly);
            },
            pipeline: static app =>
            {
                app.UseRequestCoalescing();
                app.MapControllers();
            });
        var requests = await app.GetTogetherAsync(3, "/posts/7");
        app.Services.GetRequiredService<Signal>().SetResult();
        foreach (var request in requests) Assert.Equal("post 7, run 1", await (await request.SoonAsync()).Content.ReadAsStringAsync());
    }

    private static void AddAuthorization(IServiceCollection services)
    {
        services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, HeaderScheme>("test", static _ => { });
        services.AddAuthorization();
    }

    private sealed class HeaderScheme(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers.Authorization.ToString() is not { Length: > 0 } name) return Task.FromResult(AuthenticateResult.NoResult());
            var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], Scheme.Name));
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, Scheme.Name)));
        }
    }
}

public sealed class Signal : TaskCompletionSource
{
    private int _runs;

    public int CountRun() => Interlocked.Increment(ref _runs);
}

[ApiController]
[Route("posts")]
public sealed class PostsController(Signal signal) : ControllerBase
{
    [HttpGet("{id}")]
    [CoalesceRequests]
    public async Task<string> GetAsync(int id)
    {
        var run = signal.CountRun();
        await signal.Task;
        return $"post {id}, run {run}";
    }
}
