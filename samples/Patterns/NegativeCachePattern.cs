using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Caching.Hybrid;
using Patterns.Backends;

namespace Patterns;

internal sealed record Coupon(string Code, int Percent);

/// <summary>Finds coupons through a cache. Null is a result, too: there is no such coupon.</summary>
internal sealed class CouponService(HybridCache cache, SqliteDatabase database)
{
    public ValueTask<Coupon?> FindAsync(string code, CancellationToken cancellationToken) =>
        cache.GetOrCreateAsync(
            $"coupon:{code}", (database, code),
            static (state, flight) => LoadAsync(state.database, state.code, flight),
            cancellationToken: cancellationToken);

    // First the write, then the removal: it also drops what the cache remembers about the missing row.
    public async Task AddAsync(Coupon coupon, CancellationToken cancellationToken)
    {
        await database.ExecuteAsync(
            "INSERT INTO coupons VALUES (@code, @percent)", [("@code", coupon.Code), ("@percent", coupon.Percent)], cancellationToken);
        await cache.RemoveAsync($"coupon:{coupon.Code}", cancellationToken);
    }

    private static async ValueTask<Coupon?> LoadAsync(SqliteDatabase database, string code, CancellationToken flight)
    {
        var rows = await database.QueryAsync(
            "SELECT code, percent FROM coupons WHERE code = @code", [("@code", code)],
            static row => new Coupon(row.GetString(0), row.GetInt32(1)),
            flight);
        return rows.SingleOrDefault();
    }
}

/// <summary>A newsletter names a coupon that the shop has not added yet. All readers try it, and try it again.</summary>
internal static class NegativeCachePattern
{
    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync("CREATE TABLE coupons (code TEXT PRIMARY KEY, percent INTEGER)", cancellationToken);

        var services = new ServiceCollection();
        services.AddHybridCache();
        services.AddSingleflight("cache").CoalesceHybridCache(cache =>
        {
            cache.NotFoundDuration = TimeSpan.FromMinutes(1); // shorter than the time that a coupon is kept
            cache.FailureDuration = TimeSpan.FromMinutes(1);  // a database that is down is left alone for a while
            cache.RemembersFailure = static error => error is SqliteException;
        });
        services.AddSingleton<CouponService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var coupons = provider.GetRequiredService<CouponService>();

        var (readers, again) = (new Crowd(1_000), new Crowd(1_000));
        database.BeforeAnswer = () => readers.HaveAsked;
        output.WriteLine("1,000 readers try a coupon that does not exist, and then try it again.");
        Coupon?[] found =
        [
            .. await readers.AskAsync(() => coupons.FindAsync("SPRING", cancellationToken)),
            .. await again.AskAsync(() => coupons.FindAsync("SPRING", cancellationToken)),
        ];
        Outcome.Expect(found.All(coupon => coupon is null), "A reader found a coupon that does not exist.");
        var queries = database.Queries;
        await coupons.AddAsync(new Coupon("SPRING", 20), cancellationToken);
        var added = await coupons.FindAsync("SPRING", cancellationToken);
        Outcome.Expect(added is not null, "The cache still says that the coupon does not exist.");
        output.WriteLine($"The shop adds the coupon, and the next reader gets {added.Percent} % off at once.");

        await database.ExecuteAsync("DROP TABLE coupons", [], cancellationToken); // each query fails from now on
        var queriesBefore = database.Queries;
        for (var reader = 0; reader < 2; reader++) Outcome.Expect(await FailsAsync(coupons, cancellationToken), "A reader got an answer without a table.");
        Outcome.Expect(database.Queries - queriesBefore == 1, "The failure was not remembered.");
        output.WriteLine("The table is lost. Two readers get the failure of one query.");
        return new Outcome(readers.Asked + again.Asked, queries);
    }

    private static async Task<bool> FailsAsync(CouponService coupons, CancellationToken cancellationToken)
    {
        try
        {
            await coupons.FindAsync("SUMMER", cancellationToken);
            return false;
        }
        catch (SqliteException)
        {
            return true;
        }
    }
}
