using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.FeatureManagement;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The code of README.md and of the packages' readmes.</summary>
public sealed class Readme
{
    [Fact]
    public async Task Many_requests_are_one_query()
    {
        var builder = Loopback.CreateBuilder();
        builder.Services.AddSingleton<Database>();

        // <snippet readme>
        builder.Services.AddSingleflight();
        var app = builder.Build();

        app.MapGet("/post/{id:long}", async (long id, ISingleflight singleflight, Database database, CancellationToken cancellationToken) =>
            await singleflight.ExecuteAsync(
                $"post:{id}",                                    // equal keys, same result
                flight => database.LoadPostAsync(id, flight),    // runs once, however many requests wait for it
                cancellationToken));                             // this request can leave; the others keep waiting
        // </snippet>

        await app.StartAsync();
        var backend = app.Services.GetRequiredService<Database>().Backend;
        using var client = app.CreateClient();
        var requests = Enumerable.Range(0, 10).Select(_ => client.GetStringAsync("/post/7")).ToArray();
        var run = await backend.NextRunAsync();
        await app.Services.GetRequiredService<ISingleflight>().UntilSubscribersAsync(10);
        run.Succeed(new Post(7));
        Assert.All(await Task.WhenAll(requests).SoonAsync(), response => Assert.Equal("""{"id":7}""", response));
        Assert.Equal(1, backend.Runs);
        await app.DisposeAsync();
    }

    internal static void Production(WebApplicationBuilder builder, WebApplication app)
    {
        // <snippet readme-production>
        builder.Services.AddSingleflight("weather", options => options.MaxDuration = TimeSpan.FromSeconds(5))
            .WithRollout(rollout => rollout.Fraction = 0.01)        // 1 % of the keys, the same on every node
            .WithVerification(0.001);                               // compares the shared result with the follower's own, for 0.1 % of the followers
        builder.Services.AddHealthChecks().AddSingleflight();

        app.MapSingleflightDashboard("/singleflight").RequireAuthorization();
        // </snippet>
    }

    internal static void Cluster(WebApplicationBuilder builder)
    {
        // <snippet readme-cluster>
        builder.Services.AddSingleflight("posts").UseRedis("redis:6379");
        // </snippet>
    }

    internal static void RedisPackage(WebApplicationBuilder builder)
    {
        // <snippet package-redis>
        builder.Services.AddSingleflight("posts").UseRedis("redis:6379");
        var app = builder.Build();

        app.MapGet("/post/{id:long}", async (long id, [FromKeyedServices("posts")] ISingleflight posts, Database database, CancellationToken cancellationToken) =>
            await posts.ExecuteAsync(
                $"{id}",                                         // equal keys, same result, on every node
                flight => database.LoadPostAsync(id, flight),    // runs once in the cluster, however many nodes wait for it
                cancellationToken));
        // </snippet>
    }

    internal static void FeatureFlag(WebApplicationBuilder builder)
    {
        // <snippet package-feature-management>
        builder.Services.AddFeatureManagement();
        builder.Services.AddSingleflight("posts").WithFeatureFlag("Coalescing");
        var app = builder.Build();

        app.MapGet("/post/{id:long}", async (long id, [FromKeyedServices("posts")] ISingleflight posts, Database database, CancellationToken cancellationToken) =>
            await posts.ExecuteAsync($"{id}", flight => database.LoadPostAsync(id, flight), cancellationToken));
        // </snippet>
    }

    internal static void AspNetCore(WebApplicationBuilder builder)
    {
        // <snippet package-asp-net-core>
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflightExceptionHandler();          // a rejection is 503 with Retry-After, a timeout is 504
        var app = builder.Build();

        app.UseExceptionHandler();
        app.MapSingleflightDashboard().RequireAuthorization();       // the live page, at /singleflight
        app.MapSingleflightStats().RequireAuthorization();           // the counts as JSON, at /metrics/singleflight
        // </snippet>
    }

    public sealed record Post(long Id);

    /// <summary>In place of the reader's own database.</summary>
    public sealed class Database
    {
        public Backend<Post> Backend { get; } = new();

        public ValueTask<Post> LoadPostAsync(long id, CancellationToken cancellationToken) => Backend.RunAsync(cancellationToken);
    }
}
