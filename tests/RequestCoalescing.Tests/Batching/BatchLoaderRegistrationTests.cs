using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Tests.Batching;

/// <summary>A registered loader is a keyed service on an instance of its name, follows its settings and is drained with the host.</summary>
public sealed class BatchLoaderRegistrationTests
{
    private readonly BatchBackend _backend = new();
    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder().AddInMemoryCollection().Build();

    [Fact]
    public async Task A_loader_is_a_keyed_service_on_an_instance_of_its_name()
    {
        await using var provider = Build(options => options.Window = TimeSpan.Zero);
        var loader = provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        var load = loader.LoadAsync(1);
        (await _backend.NextAsync(1)).Succeed();
        Assert.Equal("value 1", await load.SoonAsync());
        Assert.Equal("posts", loader.Name);
        Assert.Same(provider.GetRequiredKeyedService<ISingleflight<int>>("posts"), loader.Singleflight);
        Assert.Equal(1, provider.GetServices<SingleflightInstance>().Single().GetStats().Calls);
        Assert.Same(loader, provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts"));
    }

    [Fact]
    public async Task Each_call_has_services_of_its_own_scope_which_ends_with_it()
    {
        var services = new ServiceCollection();
        services.AddScoped<Scoped>();
        var seen = new List<Scoped>();
        services.AddBatchLoader<int, string>(
            "posts",
            async (scope, keys, _) =>
            {
                seen.Add(scope.GetRequiredService<Scoped>());
                await Task.Yield();
                Assert.False(seen[^1].IsDisposed);
                return keys.ToDictionary(key => key, key => $"{key}");
            },
            options => options.Window = TimeSpan.Zero);
        await using var provider = services.BuildServiceProvider(validateScopes: true);
        var loader = provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        Assert.Equal("1", await loader.LoadAsync(1).SoonAsync());
        Assert.Equal("2", await loader.LoadAsync(2).SoonAsync());
        await Patience.UntilAsync(() => loader.GetStats().Running == 0, "no batch runs");
        Assert.Equal(2, seen.Distinct().Count());
        Assert.All(seen, scoped => Assert.True(scoped.IsDisposed));
    }

    [Fact]
    public async Task Settings_override_code_and_follow_reloads()
    {
        _configuration["Singleflight:posts:Batching:MaxBatchSize"] = "2";
        await using var provider = Build(options => (options.Window, options.MaxBatchSize) = (TimeSpan.FromMinutes(1), 50));
        var loader = provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        var load = loader.LoadManyAsync([1, 2]);
        (await _backend.NextAsync(1, 2)).Succeed();
        await load.SoonAsync();

        load = loader.LoadManyAsync([3]); // waits for a minute
        _configuration["Singleflight:posts:Batching:Window"] = "00:00:00";
        _configuration.Reload();
        (await _backend.NextAsync(3)).Succeed();
        await load.SoonAsync();

        _configuration["Singleflight:posts:Batching:MaxBatchSize"] = "0"; // ignored
        _configuration.Reload();
        load = loader.LoadManyAsync([4, 5]);
        (await _backend.NextAsync(4, 5)).Succeed();
        await load.SoonAsync();
    }

    [Theory]
    [InlineData("MaxBatchSize", "0")]
    [InlineData("Window", "00:02:00")]
    [InlineData("MaxBatchsize2", "1")]
    [InlineData("Name", "x")]
    public async Task A_wrong_setting_fails_the_start_of_the_host(string setting, string value)
    {
        _configuration[$"Singleflight:posts:Batching:{setting}"] = value;
        using var host = CreateHost();
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains($"Singleflight:posts:Batching:{setting}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_is_that_of_one_loader()
    {
        var services = new ServiceCollection();
        services.AddBatchLoader<int, string>("posts", (_, _, _, _) => Task.CompletedTask);
        Assert.Throws<ArgumentException>("name", () => services.AddBatchLoader<int, long>("posts", (_, _, _, _) => Task.CompletedTask));
        Assert.Throws<ArgumentException>("name", () => services.AddBatchLoader<long, long>("posts", (_, _, _, _) => Task.CompletedTask));
        services.AddSingleflight<int>("posts", options => options.MaxInFlight = 7); // adds to the instance
    }

    [Fact]
    public async Task A_shutdown_waits_for_keys_that_wait_and_lets_their_batch_load_from_other_instances()
    {
        var window = TimeSpan.FromMilliseconds(50);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleflight("other");
        builder.Services.AddBatchLoader<int, string>(
            "posts",
            async (services, keys, answer, token) =>
            {
                var other = services.GetRequiredKeyedService<ISingleflight>("other");
                foreach (var key in keys) answer.Set(key, await other.ExecuteAsync($"{key}", _ => ValueTask.FromResult($"{key} of other"), token));
            },
            options => options.Window = window);
        using var host = builder.Build();
        await host.StartAsync();
        var loader = host.Services.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        var waiting = loader.LoadAsync(1);
        var stopping = host.StopAsync();
        Assert.Equal("1 of other", await waiting.SoonAsync());
        await stopping.SoonAsync();
        Assert.Equal(FlightRejectionReason.Draining, (await loader.LoadAsync(2).ThrowsAsync<FlightRejectedException>()).Reason);
    }

    [Fact]
    public async Task A_provider_that_is_disposed_synchronously_cancels_the_batches()
    {
        var provider = Build(options => options.Window = TimeSpan.Zero);
        var loader = provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        var load = loader.LoadAsync(1);
        var call = await _backend.NextAsync(1);
        provider.Dispose();
        await call.CancelledAsync();
        call.Fail(new OperationCanceledException(call.Token));
        await load.ThrowsAsync<OperationCanceledException>();
        await loader.LoadAsync(1).ThrowsAsync<ObjectDisposedException>();
    }

    private ServiceProvider Build(Action<BatchLoaderOptions> configure)
    {
        var services = new ServiceCollection();
        Add(services, configure);
        return services.BuildServiceProvider();
    }

    private IHost CreateHost()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        Add(builder.Services, static _ => { });
        return builder.Build();
    }

    private void Add(IServiceCollection services, Action<BatchLoaderOptions> configure)
    {
        services.AddSingleton<IConfiguration>(_configuration);
        services.AddBatchLoader<int, string>("posts", (_, keys, answer, token) => _backend.LoadAsync(keys, answer, token), configure);
    }

    private sealed class Scoped : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }
}
