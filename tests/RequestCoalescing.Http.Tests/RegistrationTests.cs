using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Http.Tests;

/// <summary>Clients and handlers, and their settings.</summary>
public sealed class RegistrationTests : IAsyncLifetime
{
    private Origin _origin = null!;

    public async ValueTask InitializeAsync() => _origin = await Origin.StartAsync();

    public ValueTask DisposeAsync() => _origin.DisposeAsync();

    [Fact]
    public async Task A_handler_works_without_services()
    {
        using var client = new HttpClient(new CoalescingHandler { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = _origin.Address };
        var calls = new[] { client.GetStringAsync("/"), client.GetStringAsync("/") };
        await (await _origin.NextAsync()).RespondAsync("post");
        Assert.Equal(["post", "post"], await Task.WhenAll(calls).SoonAsync());
        Assert.Equal(1, _origin.Requests);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CoalescingHandler(new HttpCoalescingOptions { MaxBufferedBytes = 1 }));
    }

    [Fact]
    public async Task Two_clients_have_instances_of_their_own_and_one_that_is_not_registered_goes_alone()
    {
        var services = new ServiceCollection();
        services.AddHttpClient("a").AddRequestCoalescing();
        services.AddHttpClient("").AddRequestCoalescing(singleflight: static instance => instance.WithHedging());
        await using var provider = services.BuildServiceProvider();
        Assert.Equal(["http", "http-a"], provider.GetServices<SingleflightInstance>().Select(static instance => instance.Name).Order(StringComparer.Ordinal));
        var clients = new[] { "a", "", "other" }.Select(provider.GetRequiredService<IHttpClientFactory>().CreateClient).ToArray();
        var calls = clients.SelectMany(client => Enumerable.Range(0, 2).Select(_ => client.GetStringAsync(_origin.Address))).ToArray();
        for (var i = 0; i < 4; i++) await (await _origin.NextAsync()).RespondAsync("post");
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(4, _origin.Requests);
    }

    [Fact]
    public void A_second_registration_for_a_client_is_refused() =>
        Assert.Contains("'a'", Assert.Throws<InvalidOperationException>(static () => new ServiceCollection().AddHttpClient("a").AddRequestCoalescing().AddRequestCoalescing()).Message, StringComparison.Ordinal);

    [Fact]
    public void The_documented_settings_and_ranges_are_the_real_ones()
    {
        var table = new SettingsTable("Http");
        table.ListsEverySettingOf(new HttpCoalescingOptions(), nameof(HttpCoalescingOptions.ShouldCoalesce));
        table.GivesTheRangesOf(Create);
    }

    [Fact]
    public void A_setting_out_of_its_range_is_refused_with_its_path() =>
        Assert.Contains("Singleflight:http-a:Http:MaxRemembered", Assert.Throws<OptionsValidationException>(static () => Create("MaxRemembered", "0")).Message, StringComparison.Ordinal);

    [Fact]
    public void Headers_can_be_ignored_by_a_setting()
    {
        using var provider = Provide("IgnoredHeaders:0", "X-Theme");
        var options = provider.GetRequiredService<IOptionsMonitor<HttpCoalescingOptions>>().Get("http-a");
        Assert.Contains("x-theme", options.IgnoredHeaders);
        Assert.Contains("X-Forwarded-For", options.IgnoredHeaders);
    }

    private static void Create(string setting, string value)
    {
        using var provider = Provide(setting, value);
        provider.GetRequiredKeyedService<HttpCoalescer>("http-a").Dispose();
    }

    private static ServiceProvider Provide(string setting, string value)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new($"Singleflight:http-a:Http:{setting}", value)]).Build());
        services.AddHttpClient("a").AddRequestCoalescing();
        return services.BuildServiceProvider();
    }
}
