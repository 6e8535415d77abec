using Microsoft.Extensions.Caching.Memory;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-cache>
public readonly record struct ProductKey(long Id);

public sealed class ProductService(IMemoryCache cache, ISingleflight<ProductKey> flights, IProductStore store)
{
    private readonly Lock _cacheChange = new();

    public ValueTask<Product?> FindAsync(ProductKey key, CancellationToken cancellationToken) =>
        cache.TryGetValue(key, out Product? product)
            ? ValueTask.FromResult(product)
            : flights.ExecuteAsync(key, (FlightContext flight) => FillAsync(key, flight), cancellationToken);

    public async Task UpdateAsync(ProductKey key, Product product, CancellationToken cancellationToken)
    {
        await store.SaveAsync(key, product, cancellationToken);
        lock (_cacheChange)
        {
            flights.Forget(key);
            cache.Remove(key);
        }
    }

    private async Task<Product?> FillAsync(ProductKey key, FlightContext flight)
    {
        lock (_cacheChange)
        {
            if (cache.TryGetValue(key, out Product? filled)) return filled; // between the miss and this flight
        }

        var product = await store.LoadAsync(key, flight);
        lock (_cacheChange)
        {
            if (flight.IsCurrent) cache.Set(key, product, TimeSpan.FromMinutes(1));
        }

        return product;
    }
}
// </snippet>

public sealed record Product(string Name);

public interface IProductStore
{
    Task<Product?> LoadAsync(ProductKey key, CancellationToken cancellationToken);

    Task SaveAsync(ProductKey key, Product product, CancellationToken cancellationToken);
}

public sealed class CacheRecipe : IProductStore, IDisposable
{
    private static readonly ProductKey s_key = new(1);

    private readonly MemoryCache _cache = new(new MemoryCacheOptions());
    private readonly Singleflight<ProductKey> _flights = new();
    private readonly Backend<Product?> _backend = new();
    private readonly ProductService _service;

    public CacheRecipe() => _service = new ProductService(_cache, _flights, this);

    public void Dispose() => _cache.Dispose();

    [Fact]
    public async Task A_miss_is_filled_once_and_kept()
    {
        var callers = Enumerable.Range(0, 10).Select(_ => _service.FindAsync(s_key, default).AsTask()).ToArray();
        var run = await _backend.NextRunAsync();
        await _flights.UntilSubscribersAsync(10);
        run.Succeed(new Product("tea"));
        Assert.All(await Task.WhenAll(callers).SoonAsync(), product => Assert.Equal("tea", product!.Name));
        Assert.Equal("tea", (await _service.FindAsync(s_key, default))!.Name);
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task What_was_read_before_an_update_is_not_kept_after_it()
    {
        var early = _service.FindAsync(s_key, default).AsTask();
        var old = await _backend.NextRunAsync();
        await _service.UpdateAsync(s_key, new Product("coffee"), default);
        var late = _service.FindAsync(s_key, default).AsTask();
        var fresh = await _backend.NextRunAsync();

        fresh.Succeed(new Product("coffee"));
        Assert.Equal("coffee", (await late.SoonAsync())!.Name);
        old.Succeed(new Product("tea"));
        Assert.Equal("tea", (await early.SoonAsync())!.Name);
        Assert.Equal("coffee", (await _service.FindAsync(s_key, default))!.Name);
    }

    Task<Product?> IProductStore.LoadAsync(ProductKey key, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();

    Task IProductStore.SaveAsync(ProductKey key, Product product, CancellationToken cancellationToken) => Task.CompletedTask;
}
