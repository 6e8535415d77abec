using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Rollout;

/// <summary>Registered instances, which are disposed with the test.</summary>
public abstract class RolloutFixture : IAsyncDisposable
{
    private readonly List<ServiceProvider> _providers = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected ISingleflight<TKey> CreateFor<TKey>(Action<ISingleflightBuilder> configure, Action<SingleflightOptions>? options = null)
        where TKey : notnull
    {
        var services = new ServiceCollection();
        configure(services.AddSingleflight<TKey>(options));
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return provider.GetRequiredService<ISingleflight<TKey>>();
    }
}
