using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>An instance from dependency injection keeps the laws, with every decorator around the engine.</summary>
public class HostedSingleflightContractTests : SingleflightContract
{
    private readonly List<ServiceProvider> _providers = [];

    public override async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers)
        {
            await provider.DisposeAsync(Clock);
        }

        await base.DisposeAsync();
    }

    protected sealed override ISingleflight CreateSingleflight(SingleflightOptions options)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        Configure(services);
        Configure(services
            .AddSingleflight(o =>
            {
                (o.MaxSubscribers, o.MaxInFlight, o.MaxDuration, o.JoinWindow) = (options.MaxSubscribers, options.MaxInFlight, options.MaxDuration, options.JoinWindow);
                (o.Overflow, o.ContextFlow, o.DetectDeadlocks, o.TimeProvider) = (options.Overflow, options.ContextFlow, options.DetectDeadlocks, options.TimeProvider);
            })
            .WithVerification(0)
            .Decorate<string>((_, inner) => new PassingOn(inner))
            .WithRolloutSwitch(_ => new AlwaysOn()));
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return new Disposing(provider);
    }

    protected virtual void Configure(IServiceCollection services)
    {
    }

    protected virtual void Configure(ISingleflightBuilder builder)
    {
    }

    private sealed class AlwaysOn : IRolloutSwitch
    {
        public ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken) => new(true);
    }

    // Passes calls to the provider's instance, and disposes the provider as a host does.
    private sealed class Disposing(ServiceProvider provider) : SingleflightBase<string>, ISingleflight, IAsyncDisposable
    {
        private readonly ISingleflight _inner = provider.GetRequiredService<ISingleflight>();

        public override void Clear() => _inner.Clear();

        public override SingleflightStats GetStats() => _inner.GetStats();

        public ValueTask DisposeAsync() => provider.DisposeAsync();

        protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
            _inner.ExecuteAsync(key, state, work, cancellationToken);

        protected override bool ForgetCore(string key) => _inner.Forget(key);
    }

    private sealed class PassingOn(ISingleflight<string> inner) : SingleflightBase<string>
    {
        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats() => inner.GetStats();

        protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
            inner.ExecuteAsync(key, state, work, cancellationToken);

        protected override bool ForgetCore(string key) => inner.Forget(key);
    }
}
