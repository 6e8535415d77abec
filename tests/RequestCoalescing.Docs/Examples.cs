using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs;

/// <summary>The examples in the XML documentation.</summary>
internal static class Examples
{
    public static async Task TypedKeyAsync(Database database, string postId, int limit, CancellationToken cancellationToken)
    {
        // <snippet xml-typed-key>
        var posts = new Singleflight<(string PostId, int Limit)>();
        var comments = await posts.ExecuteAsync((postId, limit), flight => database.LoadCommentsAsync(postId, limit, flight), cancellationToken);
        // </snippet>
    }

    public static async Task ExecuteAsync(ISingleflight<long> singleflight, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet xml-execute>
        var post = await singleflight.ExecuteAsync(
            id,
            async flight => await database.LoadPostAsync(id, flight),    // the flight's token goes to the backend
            cancellationToken);                                          // the caller's own token lets this caller leave
        // </snippet>
    }

    public static async Task StateAsync(ISingleflight<long> singleflight, Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet xml-execute-state>
        var post = await singleflight.ExecuteAsync(
            id,
            (database, id),
            static (state, flight) => state.database.LoadPostAsync(state.id, flight.CancellationToken),    // static: captures nothing
            cancellationToken);
        // </snippet>
    }

    public static async Task FlightAsync(ISingleflight<long> singleflight, Database database, IMemoryCache cache, long id, CancellationToken cancellationToken)
    {
        // <snippet xml-execute-flight>
        var post = await singleflight.ExecuteAsync(
            id,
            async (FlightContext flight) =>
            {
                var loaded = await database.LoadPostAsync(id, flight);
                if (flight.IsCurrent) cache.Set(id, loaded, TimeSpan.FromMinutes(1));
                return loaded;
            },
            cancellationToken);
        // </snippet>
    }

    public static async Task SynchronousAsync(ISingleflight<string> singleflight, CancellationToken cancellationToken)
    {
        static int CountPrimes(int limit) => Enumerable.Range(2, limit - 2).Count(number => Enumerable.Range(2, (int)Math.Sqrt(number)).All(divisor => divisor >= number || number % divisor != 0));

        // <snippet xml-execute-synchronous>
        var primes = await singleflight.ExecuteAsync("primes", flight => CountPrimes(1_000_000), cancellationToken);
        // </snippet>
    }

    public static async Task WithoutResultAsync(ISingleflight<string> singleflight, Database database, CancellationToken cancellationToken)
    {
        // <snippet xml-execute-no-result>
        await singleflight.ExecuteAsync("warm-up", async flight => { await database.WarmUpAsync(flight); }, cancellationToken);
        // </snippet>
    }

    public static async Task ForgetAsync(ISingleflight<long> singleflight, Database database, IMemoryCache cache, Post post, CancellationToken cancellationToken)
    {
        // <snippet xml-forget>
        await database.SaveAsync(post, cancellationToken);    // first the write,
        singleflight.Forget(post.Id);                         // then the flights that may have read the old data,
        cache.Remove(post.Id);                                // and then the cache, if there is one
        // </snippet>
    }

    public static async Task ForgetInClusterAsync(IClusterSingleflight<long> cluster, Database database, Post post, CancellationToken cancellationToken)
    {
        // <snippet xml-forget-cluster>
        await database.SaveAsync(post, cancellationToken);
        await cluster.ForgetAsync(post.Id);    // from now on, callers on every node start anew
        // </snippet>
    }

    public static async Task ScopeAsync(ISingleflight<long> singleflight, long id, CancellationToken cancellationToken)
    {
        // <snippet xml-scope>
        var post = await singleflight.ExecuteInScopeAsync(
            id,
            async (services, flight) => await services.GetRequiredService<BlogContext>().Posts.AsNoTracking().FirstAsync(post => post.Id == id, flight),
            cancellationToken);
        // </snippet>
    }

    public static void Register(WebApplicationBuilder builder, WebApplication app)
    {
        // <snippet xml-register>
        builder.Services.AddSingleflight(options => options.MaxDuration = TimeSpan.FromSeconds(5));

        app.MapGet("/time/{zone}", (string zone, ISingleflight singleflight, CancellationToken cancellationToken) =>
            singleflight.ExecuteAsync(zone, flight => TimeOfAsync(zone, flight), cancellationToken));
        // </snippet>

        // <snippet xml-register-named>
        builder.Services.AddSingleflight("weather", options => options.MaxInFlight = 500);

        app.MapGet("/weather/{city}", (string city, [FromKeyedServices("weather")] ISingleflight weather, CancellationToken cancellationToken) =>
            weather.ExecuteAsync(city, flight => ForecastOfAsync(city, flight), cancellationToken));
        // </snippet>

        // <snippet xml-register-typed>
        builder.Services.AddSingleflight<PostKey>();    // record struct PostKey(long Id, int Page)

        app.MapGet("/post/{id}/{page}", (long id, int page, ISingleflight<PostKey> posts, CancellationToken cancellationToken) =>
            posts.ExecuteAsync(new PostKey(id, page), flight => PageOfAsync(id, page, flight), cancellationToken));
        // </snippet>

        // <snippet xml-rollout>
        builder.Services.AddSingleflight("weather")
            .WithRollout(rollout => rollout.Fraction = 0.01);    // "Singleflight:weather:Rollout:Enabled": false switches it off at run time
        // </snippet>

        // <snippet xml-verification>
        builder.Services.AddSingleflight("weather")
            .WithVerification(0.01, configure: verification => verification.OnMismatch = MismatchBehavior.UseOwn);
        // </snippet>

        // <snippet xml-adaptive>
        builder.Services.AddSingleflight("weather", options => options.MaxDuration = TimeSpan.FromSeconds(20)) // the ceiling
            .WithAdaptiveMaxDuration(adaptive => adaptive.Factor = 4);
        // </snippet>

        // <snippet xml-hedging>
        builder.Services.AddSingleflight("weather")
            .WithHedging(hedging => hedging.HedgeAfter = TimeSpan.FromMilliseconds(300)); // most flights take less
        // </snippet>

        // <snippet xml-mutation>
        builder.Services.AddSingleflight("posts").WithMutationDetection();
        // </snippet>

        // <snippet xml-health>
        builder.Services.AddHealthChecks().AddSingleflight(health =>
        {
            health.Degraded.OldestAgeShare = 0.5;    // a flight older than half of its MaxDuration
            health.Unhealthy.Abandoned = 100;
        });
        // </snippet>

        // <snippet xml-redis>
        builder.Services.AddSingleflight("posts").UseRedis("redis:6379", redis => redis.LeaseDuration = TimeSpan.FromSeconds(5));
        // </snippet>

        // <snippet xml-redis-typed>
        builder.Services.AddSingleflight<PostKey>("posts").UseRedis<PostKey>(key => $"{key.Id}:{key.Page}");
        // </snippet>

        // <snippet xml-page>
        app.MapSingleflightDashboard("/internal/singleflight").RequireAuthorization();
        // </snippet>
    }

    public static async Task BatchAsync(Database database, long id, CancellationToken cancellationToken)
    {
        // <snippet xml-batch-loader>
        await using var authors = new BatchLoader<long, Author>(
            async (ids, batch) => await database.FindAuthorsAsync(ids, batch),    // one query for all ids: SELECT … WHERE id IN (…)
            new BatchLoaderOptions { MaxBatchSize = 500 });

        Author? author = await authors.LoadAsync(id, cancellationToken);          // null if the query did not return it
        // </snippet>
    }

    public static void Batches(WebApplicationBuilder builder, WebApplication app)
    {
        // <snippet xml-batch-loader-registered>
        builder.Services.AddBatchLoader<long, Author>(
            "authors",
            async (services, ids, batch) => await services.GetRequiredService<BlogContext>().Authors.AsNoTracking()
                .Where(author => ids.Contains(author.Id))
                .ToDictionaryAsync(author => author.Id, batch),
            options => options.MaxBatchSize = 500);

        app.MapGet("/author/{id}", ([FromKeyedServices("authors")] BatchLoader<long, Author> authors, long id, CancellationToken cancellationToken) =>
            authors.LoadAsync(id, cancellationToken));
        // </snippet>
    }

    public static void Errors(WebApplicationBuilder builder)
    {
        // <snippet xml-errors>
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflightExceptionHandler(errors => errors.RetryAfter = TimeSpan.FromSeconds(5));
        var app = builder.Build();
        app.UseExceptionHandler(); // before the endpoints
        // </snippet>
    }

    public static void MappedErrors(WebApplicationBuilder builder)
    {
        // <snippet xml-errors-map>
        // Of the package RequestCoalescing.Redis: Redis cannot be reached, and OnOutage is Fail.
        builder.Services.AddSingleflightExceptionHandler(errors => errors.Map<ClusterUnavailableException>(StatusCodes.Status503ServiceUnavailable));
        // </snippet>
    }

    private static Task<string> TimeOfAsync(string zone, CancellationToken cancellationToken) => Task.FromResult(zone);

    private static Task<string> ForecastOfAsync(string city, CancellationToken cancellationToken) => Task.FromResult(city);

    private static Task<string> PageOfAsync(long id, int page, CancellationToken cancellationToken) => Task.FromResult($"{id} {page}");

    internal readonly record struct PostKey(long Id, int Page);

    internal sealed record Post(long Id);

    internal sealed record Author(long Id, string Name);

    internal sealed class BlogContext(DbContextOptions<BlogContext> options) : DbContext(options)
    {
        public DbSet<Post> Posts => Set<Post>();

        public DbSet<Author> Authors => Set<Author>();
    }

    internal abstract class Database
    {
        public abstract Task<Post> LoadPostAsync(long id, CancellationToken cancellationToken);

        public abstract Task<Dictionary<long, Author>> FindAuthorsAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken);

        public abstract Task<string[]> LoadCommentsAsync(string postId, int limit, CancellationToken cancellationToken);

        public abstract Task SaveAsync(Post post, CancellationToken cancellationToken);

        public abstract Task WarmUpAsync(CancellationToken cancellationToken);
    }
}
