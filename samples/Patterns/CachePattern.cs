using Microsoft.Extensions.Caching.Hybrid;
using Patterns.Backends;

namespace Patterns;

internal sealed record Product(long Id, string Name, decimal Price);

/// <summary>Loads products through a cache. The calls of the cache stay as they are; its registration makes the misses share a load.</summary>
internal sealed class ProductService(HybridCache cache, SqliteDatabase database)
{
    public static readonly HybridCacheEntryOptions Options = new() { Expiration = TimeSpan.FromMilliseconds(200) };

    // A static lambda that gets its state allocates no closure when the cache answers.
    public ValueTask<Product> GetAsync(long id, CancellationToken cancellationToken) =>
        cache.GetOrCreateAsync(
            $"product:{id}",
            (database, id),
            static (state, flight) => LoadAsync(state.database, state.id, flight),
            Options,
            cancellationToken: cancellationToken);

    private static async ValueTask<Product> LoadAsync(SqliteDatabase database, long id, CancellationToken flight)
    {
        var rows = await database.QueryAsync(
            "SELECT id, name, price FROM products WHERE id = @id",
            [("@id", id)],
            static row => new Product(row.GetInt64(0), row.GetString(1), row.GetDecimal(2)),
            flight);
        return rows.Single();
    }
}

/// <summary>A popular entry of the cache expires, and a thousand requests miss it at the same time.</summary>
/// <remarks>HybridCache would share this load by itself. FreshnessPattern shows what it gains from a singleflight.</remarks>
internal static class CachePattern
{
    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            """
            CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL);
            INSERT INTO products VALUES (7, 'Kettle', '24.90');
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddHybridCache();
        services.AddSingleflight("cache").CoalesceHybridCache();
        services.AddSingleton<ProductService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var products = provider.GetRequiredService<ProductService>();

        await products.GetAsync(7, cancellationToken);
        output.WriteLine($"The cache holds product 7 for {ProductService.Options.Expiration!.Value.TotalMilliseconds:N0} ms.");
        await Task.Delay(2 * ProductService.Options.Expiration.Value, cancellationToken);

        var queriesBefore = database.Queries;
        var crowd = new Crowd(1_000);
        database.BeforeAnswer = () => crowd.HaveAsked;
        output.WriteLine("The entry has expired, and 1,000 requests miss it at the same time.");
        var found = await crowd.AskAsync(() => products.GetAsync(7, cancellationToken));

        Outcome.Expect(found.All(product => product == new Product(7, "Kettle", 24.90m)), "A request got a wrong product.");
        output.WriteLine($"All of them got the {found[0].Name} for {found[0].Price}.");
        return new Outcome(crowd.Asked, database.Queries - queriesBefore);
    }
}
