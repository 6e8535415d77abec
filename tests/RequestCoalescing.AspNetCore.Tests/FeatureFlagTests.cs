using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.FeatureManagement;

namespace RequestCoalescing.AspNetCore.Tests;

public sealed class FeatureFlagTests
{
    [Fact]
    public async Task A_feature_turns_coalescing_on_and_off()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("FeatureManagement:Coalescing", "false")]).Build();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddFeatureManagement();
        services.AddSingleflight().WithFeatureFlag("Coalescing");
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();

        Assert.Equal((2, 0), await AskTwiceAsync(singleflight));
        configuration["FeatureManagement:Coalescing"] = "true";
        configuration.Reload();
        Assert.Equal((1, 1), await AskTwiceAsync(singleflight));
    }

    [Fact]
    public void An_empty_feature_name_is_refused() =>
        Assert.Throws<ArgumentException>("feature", () => new ServiceCollection().AddSingleflight().WithFeatureFlag(" "));

    // The number of runs that two simultaneous callers cause, and the number of followers among them.
    private static async Task<(int Runs, long Coalesced)> AskTwiceAsync(ISingleflight singleflight)
    {
        var backend = new Backend<int>();
        var before = singleflight.GetStats();
        var calls = new[] { singleflight.ExecuteAsync("a", backend.RunAsync).AsTask(), singleflight.ExecuteAsync("a", backend.RunAsync).AsTask() };
        await Patience.UntilAsync(() => singleflight.GetStats().Calls == before.Calls + 2, "both have called");
        for (var i = singleflight.GetStats().Flights - before.Flights; i > 0; i--) (await backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(calls).SoonAsync();
        return (backend.Runs, singleflight.GetStats().Coalesced - before.Coalesced);
    }
}
