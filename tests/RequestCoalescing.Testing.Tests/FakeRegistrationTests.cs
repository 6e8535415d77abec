using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace RequestCoalescing.Testing.Tests;

/// <summary>A fake takes the place of a registered instance.</summary>
public sealed class FakeRegistrationTests
{
    [Fact]
    public async Task Each_form_replaces_the_instance_that_the_same_form_of_AddSingleflight_registers()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleflight();
        builder.Services.AddSingleflight("named");
        builder.Services.AddSingleflight<long>();
        builder.Services.AddSingleflight<int>("typed");
        var (unnamed, named) = (builder.Services.AddFakeSingleflight(), builder.Services.AddFakeSingleflight("named"));
        var (byType, typed) = (builder.Services.AddFakeSingleflight<long>(), builder.Services.AddFakeSingleflight<int>("typed"));
        using var host = builder.Build();
        await host.StartAsync();

        Assert.Same(unnamed, Assert.Single(host.Services.GetServices<ISingleflight>()));
        Assert.Same(unnamed, Assert.Single(host.Services.GetServices<ISingleflight<string>>()));
        Assert.Same(named, Assert.Single(host.Services.GetKeyedServices<ISingleflight>("named")));
        Assert.Same(named, Assert.Single(host.Services.GetKeyedServices<ISingleflight<string>>("named")));
        Assert.Same(byType, Assert.Single(host.Services.GetServices<ISingleflight<long>>()));
        Assert.Same(typed, Assert.Single(host.Services.GetKeyedServices<ISingleflight<int>>("typed")));
        await host.StopAsync();
    }

    [Fact]
    public async Task The_other_instances_stay_as_they_are()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleflight();
        services.AddSingleflight("named");
        services.AddFakeSingleflight("named");
        await using var provider = services.BuildServiceProvider();

        Assert.IsNotType<FakeSingleflight>(provider.GetRequiredService<ISingleflight>());
        Assert.IsNotType<FakeSingleflight>(provider.GetRequiredService<ISingleflight<string>>());
    }

    [Fact]
    public async Task Nothing_needs_to_be_registered_before()
    {
        var services = new ServiceCollection();
        var fake = services.AddFakeSingleflight<string>();
        await using var provider = services.BuildServiceProvider();
        Assert.Same(fake, provider.GetRequiredService<ISingleflight>());
    }

    [Fact]
    public async Task Work_gets_a_service_scope()
    {
        var services = new ServiceCollection();
        services.AddScoped<Scoped>();
        var fake = services.AddFakeSingleflight();
        await using var provider = services.BuildServiceProvider(validateScopes: true);
        var singleflight = provider.GetRequiredService<ISingleflight>();

        var first = await singleflight.ExecuteInScopeAsync("a", (scope, _) => ValueTask.FromResult(scope.GetRequiredService<Scoped>()));
        var second = await singleflight.ExecuteInScopeAsync("a", (scope, _) => ValueTask.FromResult(scope.GetRequiredService<Scoped>()));
        Assert.NotSame(first, second);
        Assert.Equal(2, fake.Calls.Count);
    }

    [Fact]
    public void A_fake_that_is_not_registered_has_no_service_scopes()
    {
        using var fake = new FakeSingleflight();
        var error = Assert.Throws<ArgumentException>(() => { _ = fake.ExecuteInScopeAsync("a", (_, _) => ValueTask.FromResult(1)); });
        Assert.Equal("singleflight", error.ParamName);
    }

    [Fact]
    public async Task The_options_of_the_fake_are_its_own()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleflight(options => options.MaxInFlight = 1);
        var fake = services.AddFakeSingleflight(options => options.MaxInFlight = 2);
        await using var provider = services.BuildServiceProvider();
        using var hold = fake.HoldAll();
        var singleflight = provider.GetRequiredService<ISingleflight>();

        var calls = new[] { "a", "b" }.Select(key => singleflight.ExecuteAsync(key, _ => ValueTask.FromResult(1)).AsTask()).ToArray();
        var rejected = await singleflight.ExecuteAsync("c", _ => ValueTask.FromResult(1)).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal(2, rejected.Limit);
        hold.Release();
        await Task.WhenAll(calls).SoonAsync();
    }

    [Fact]
    public async Task The_provider_disposes_the_fake()
    {
        var services = new ServiceCollection();
        var fake = services.AddFakeSingleflight();
        var provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<ISingleflight>();
        provider.Dispose(); // the form that is not asynchronous
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await fake.ExecuteAsync("a", _ => ValueTask.FromResult(1)));
    }

    [Fact]
    public void Arguments_are_checked()
    {
        Assert.Throws<ArgumentNullException>("services", () => ((IServiceCollection)null!).AddFakeSingleflight());
        Assert.Throws<ArgumentException>("name", () => new ServiceCollection().AddFakeSingleflight(" "));
        Assert.Throws<ArgumentNullException>("name", () => new ServiceCollection().AddFakeSingleflight<int>((string)null!));
    }

    private sealed class Scoped;
}
