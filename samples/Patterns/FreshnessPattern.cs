using Microsoft.Extensions.Caching.Hybrid;
using Patterns.Backends;

namespace Patterns;

/// <summary>Reads prices through a cache, and changes them.</summary>
internal sealed class PriceService(HybridCache cache, SqliteDatabase database)
{
    public ValueTask<long> GetAsync(long id, CancellationToken cancellationToken) =>
        cache.GetOrCreateAsync(
            $"price:{id}",
            (database, id),
            static (state, flight) => LoadAsync(state.database, state.id, flight),
            cancellationToken: cancellationToken);

    // First the write, then the removal: it reaches the loads that have read the old price.
    public async Task ChangeAsync(long id, long price, CancellationToken cancellationToken)
    {
        await database.ExecuteAsync("UPDATE prices SET price = @price WHERE id = @id", [("@id", id), ("@price", price)], cancellationToken);
        await cache.RemoveAsync($"price:{id}", cancellationToken);
    }

    private static async ValueTask<long> LoadAsync(SqliteDatabase database, long id, CancellationToken flight)
    {
        var rows = await database.QueryAsync("SELECT price FROM prices WHERE id = @id", [("@id", id)], static row => row.GetInt64(0), flight);
        return rows.Single();
    }
}

/// <summary>A price changes while a load that has read the old price is under way.</summary>
internal static class FreshnessPattern
{
    private const int Product = 7;

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            "CREATE TABLE prices (id INTEGER PRIMARY KEY, price INTEGER NOT NULL); INSERT INTO prices VALUES (7, 10)", cancellationToken);

        var services = new ServiceCollection();
        services.AddHybridCache();
        services.AddSingleflight("cache").CoalesceHybridCache();
        services.AddSingleton<PriceService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var prices = provider.GetRequiredService<PriceService>();

        // A load has read the old price, and its answer is on the way.
        var hasRead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrives = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        database.BeforeAnswer = () =>
        {
            hasRead.TrySetResult();
            return arrives.Task;
        };
        var early = prices.GetAsync(Product, cancellationToken).AsTask();
        await hasRead.Task.WaitAsync(cancellationToken);

        await prices.ChangeAsync(Product, 12, cancellationToken);
        var queriesBefore = database.Queries;
        var crowd = new Crowd(1_000);
        database.BeforeAnswer = () => crowd.HaveAsked;
        output.WriteLine("The price changes from 10 to 12 while a load is under way, and 1,000 readers come after the change.");
        var late = await crowd.AskAsync(() => prices.GetAsync(Product, cancellationToken));

        arrives.SetResult();
        output.WriteLine($"The reader before the change got {await early}. The readers after it got {string.Join(", ", late.Distinct())}.");
        var last = await prices.GetAsync(Product, cancellationToken);
        Outcome.Expect(late.All(price => price == 12) && last == 12, "A reader after the change got the old price.");
        output.WriteLine($"The cache holds {last}: the load that had read the old price did not store it.");
        return new Outcome(crowd.Asked, database.Queries - queriesBefore);
    }
}
