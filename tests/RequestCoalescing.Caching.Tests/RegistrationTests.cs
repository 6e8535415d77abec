using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Caching.Tests;

public sealed class RegistrationTests
{
    [Fact]
    public async Task The_default_instance_and_a_named_one_can_be_around_the_cache()
    {
        foreach (var name in new[] { null, "cache" })
        {
            var services = new ServiceCollection();
            services.AddLogging();
            services.AddHybridCache();
            (name is null ? services.AddSingleflight() : services.AddSingleflight(name)).CoalesceHybridCache();
            await using var provider = services.BuildServiceProvider();
            var cache = provider.GetRequiredService<HybridCache>();
            Assert.IsType<CoalescingHybridCache>(cache);
            Assert.Equal(1, await cache.GetOrCreateAsync("key", static _ => ValueTask.FromResult(1)));
            var instance = name is null ? provider.GetRequiredService<ISingleflight>() : provider.GetRequiredKeyedService<ISingleflight>(name);
            Assert.Equal(1, instance.GetStats().Flights);
        }
    }

    [Fact]
    public void A_registration_that_cannot_work_is_refused_at_the_call()
    {
        var services = new ServiceCollection();
        Assert.Contains("AddHybridCache", Assert.Throws<InvalidOperationException>(() => services.AddSingleflight("a").CoalesceHybridCache()).Message, StringComparison.Ordinal);
        services.AddHybridCache();
        Assert.Contains("strings", Assert.Throws<ArgumentException>(() => services.AddSingleflight<int>("b").CoalesceHybridCache()).Message, StringComparison.Ordinal);
        services.AddSingleflight("c").CoalesceHybridCache();
        Assert.Throws<InvalidOperationException>(() => services.AddSingleflight("d").CoalesceHybridCache());
    }

    [Fact]
    public void The_documented_settings_and_ranges_are_the_real_ones()
    {
        var table = new SettingsTable("HybridCache");
        table.ListsEverySettingOf(
            new CoalescingHybridCacheOptions(),
            nameof(CoalescingHybridCacheOptions.RemembersFailure),
            nameof(CoalescingHybridCacheOptions.IsNotFound),
            nameof(CoalescingHybridCacheOptions.CloneResult));
        table.GivesTheRangesOf(Create);
    }

    [Fact]
    public void A_setting_out_of_its_range_is_refused_with_its_path() =>
        Assert.Contains("Singleflight:cache:HybridCache:Jitter", Assert.Throws<OptionsValidationException>(() => Create("Jitter", "1.1")).Message, StringComparison.Ordinal);

    private static void Create(string setting, string value)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new($"Singleflight:cache:HybridCache:{setting}", value)]).Build());
        services.AddHybridCache();
        services.AddSingleflight("cache").CoalesceHybridCache();
        using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<HybridCache>();
    }
}
