using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

internal readonly record struct ExportKey(int Year);

internal sealed record Order(long Id, double Total);

/// <summary>Exports the orders of a year. Requests for the same year at the same time share the rows of one query, and none of them is held in memory whole.</summary>
internal sealed class OrderService(ISingleflight<ExportKey> flights, SqliteDatabase database)
{
    // No reader loses a row: the query waits for the slowest one when the buffer is full.
    private static readonly StreamOptions s_allRows = new() { MaxBufferedItems = 1_000, Backpressure = StreamBackpressure.SlowestReader };

    public IAsyncEnumerable<Order> ExportAsync(ExportKey key, CancellationToken cancellationToken) => flights.ExecuteStreamAsync(
        key,
        flight => database.StreamAsync("SELECT id, total FROM orders WHERE year = @year", [("@year", key.Year)], static row => new Order(row.GetInt64(0), row.GetDouble(1)), flight),
        s_allRows,
        cancellationToken);
}

/// <summary>20 users export the 50,000 orders of a year at the same time.</summary>
internal static class RowsPattern
{
    private const int Users = 20;
    private const int Orders = 50_000;

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            $"""
            CREATE TABLE orders (id INTEGER PRIMARY KEY, year INTEGER NOT NULL, total REAL NOT NULL);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {Orders})
            INSERT INTO orders SELECT i, 2026, i * 7919 % 10000 / 100.0 FROM n;
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleflight<ExportKey>(options => options.StartOnThreadPool = true); // SQLite reads its rows on the thread that asks
        services.AddSingleton<OrderService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var (orders, flights) = (provider.GetRequiredService<OrderService>(), provider.GetRequiredService<ISingleflight<ExportKey>>());

        database.BeforeAnswer = AllHaveJoinedAsync;
        output.WriteLine($"{Users} users export the {Orders:N0} orders of a year at the same time.");
        var sums = await Task.WhenAll(Enumerable.Range(0, Users).Select(_ => Task.Run(SumAsync, cancellationToken)));

        Outcome.Expect(sums.All(sum => sum == sums[0] && sum.Count == Orders), "A user missed an order.");
        output.WriteLine($"Each of them read {sums[0].Count:N0} rows, with a total of {sums[0].Total:N2}.");
        return new Outcome(Users, database.Queries);

        async Task AllHaveJoinedAsync()
        {
            while (flights.GetStats().TotalSubscribers < Users) await Task.Yield();
        }

        async Task<(int Count, double Total)> SumAsync()
        {
            var (count, total) = (0, 0.0);
            await foreach (var order in orders.ExportAsync(new ExportKey(2026), cancellationToken))
            {
                count++;
                total += order.Total;
            }

            return (count, total);
        }
    }
}
