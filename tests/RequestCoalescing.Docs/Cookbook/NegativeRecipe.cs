using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-negative>
public sealed class CouponService(IMemoryCache cache, ISingleflight flights, ICouponStore store)
{
    // Null: there is no such coupon.
    public ValueTask<Coupon?> FindAsync(string code, CancellationToken cancellationToken) =>
        cache.TryGetValue(code, out Coupon? coupon)
            ? ValueTask.FromResult(coupon)
            : flights.ExecuteAsync(
                code,
                async (FlightContext flight) =>
                {
                    var found = await store.FindAsync(code, flight);
                    if (flight.IsCurrent) cache.Set(code, found, found is null ? TimeSpan.FromSeconds(5) : TimeSpan.FromMinutes(5));
                    return found;
                },
                cancellationToken);
}
// </snippet>

public sealed record Coupon(string Code);

public interface ICouponStore
{
    Task<Coupon?> FindAsync(string code, CancellationToken cancellationToken);
}

public sealed class NegativeRecipe : ICouponStore
{
    private readonly Backend<Coupon?> _backend = new();

    [Fact]
    public async Task A_miss_is_shared_and_kept_and_no_flight_fails()
    {
        using var cache = new MemoryCache(new MemoryCacheOptions());
        await using var flights = new Singleflight();
        var service = new CouponService(cache, flights, this);
        var callers = Enumerable.Range(0, 10).Select(_ => service.FindAsync("NONE", default).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Succeed(null);
        Assert.All(await Task.WhenAll(callers).SoonAsync(), Assert.Null);
        Assert.Null(await service.FindAsync("NONE", default));
        Assert.Equal((1, 1, 0), (_backend.Runs, flights.GetStats().Succeeded, flights.GetStats().Failed));
    }

    Task<Coupon?> ICouponStore.FindAsync(string code, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();
}
