namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-fan-in>
public readonly record struct CustomerKey(string Tenant, long Id);

public sealed class CustomerPage(ISingleflight<CustomerKey> flights, ICustomerApi api)
{
    // Each part loads what it needs, and knows nothing of the others. So do the resolvers of a GraphQL query.
    public async Task<string[]> RenderAsync(CustomerKey key, CancellationToken cancellationToken) =>
        await Task.WhenAll(HeaderAsync(key, cancellationToken), AddressAsync(key, cancellationToken));

    private async Task<string> HeaderAsync(CustomerKey key, CancellationToken cancellationToken) =>
        $"Welcome, {(await LoadAsync(key, cancellationToken)).Name}";

    private async Task<string> AddressAsync(CustomerKey key, CancellationToken cancellationToken) =>
        $"We deliver to {(await LoadAsync(key, cancellationToken)).City}";

    private ValueTask<Customer> LoadAsync(CustomerKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(key, flight => api.LoadAsync(key, flight), cancellationToken);
}
// </snippet>

public sealed record Customer(string Name, string City);

public interface ICustomerApi
{
    Task<Customer> LoadAsync(CustomerKey key, CancellationToken cancellationToken);
}

public sealed class FanInRecipe : ICustomerApi
{
    private readonly Backend<Customer> _backend = new();

    [Fact]
    public async Task The_parts_of_a_page_share_one_call()
    {
        var page = new CustomerPage(new Singleflight<CustomerKey>(), this).RenderAsync(new CustomerKey("acme", 1), default);
        (await _backend.NextRunAsync()).Succeed(new Customer("Ada", "London"));
        Assert.Equal(["Welcome, Ada", "We deliver to London"], await page.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    Task<Customer> ICustomerApi.LoadAsync(CustomerKey key, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();
}
