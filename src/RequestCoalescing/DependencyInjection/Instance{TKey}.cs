using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RequestCoalescing.Rollout;
using RequestCoalescing.Telemetry;
using RequestCoalescing.Verification;

namespace RequestCoalescing.DependencyInjection;

/// <summary>One registered instance: its engine, what is composed around that, and the settings they follow.</summary>
internal sealed class Instance<TKey> : Instance, IAsyncDisposable, IDisposable
    where TKey : notnull
{
    private readonly Singleflight<TKey> _engine;
    private readonly FlightTelemetry _telemetry;
    private readonly KeyRedactor _redactor;
    private readonly SingleflightMetrics _metrics;
    private readonly ILogger _logger;
    private readonly List<IDisposable> _owned = [];

    public Instance(IServiceProvider services, Registration<TKey> registration)
        : base(registration.Name)
    {
        _logger = services.GetService<ILoggerFactory>()?.CreateLogger(typeof(SingleflightInstance).Namespace!) ?? NullLogger.Instance;
        _metrics = services.GetRequiredService<SingleflightMetrics>();

        var options = Follow<SingleflightOptions>(services, registration, changed => _engine!.Change(changed));
        var telemetry = Follow<TelemetryOptions>(services, registration);
        var rollout = Follow<RolloutOptions>(services, registration);

        _redactor = new KeyRedactor(registration.TextOf, telemetry);
        _telemetry = new FlightTelemetry(Name, _logger, _metrics, _redactor, options.Current.TimeProvider, telemetry);
        _engine = new Singleflight<TKey>(options.Current, comparer: null, _telemetry);

        ISingleflight<TKey> chain = _engine;
        foreach (var decorate in registration.Decorators) chain = decorate(services, chain);
        if (registration.Verifies)
        {
            var verification = Follow<VerificationOptions>(services, registration);
            chain = new VerifyingSingleflight<TKey>(chain, _engine, Name, _redactor, _logger, verification);
        }

        var observation = new Observation<TKey>(options.Current);
        _owned.Add(observation);
        var rolledOut = new RolloutSingleflight<TKey>(
            chain, _engine, new KeySampler<TKey>(registration.TextOf), registration.CreateSwitch?.Invoke(services), Name, _logger, rollout, observation);
        var scopes = services.GetRequiredService<IServiceScopeFactory>();
        Entry = chain is ISingleflight<string> strings && rolledOut is RolloutSingleflight<string> ofStrings
            ? (ISingleflight<TKey>)(object)new HostedSingleflight(strings, ofStrings, scopes, _metrics, Name, options.Current.TimeProvider)
            : new HostedSingleflight<TKey>(chain, rolledOut, scopes, _metrics, Name, options.Current.TimeProvider);
        _metrics.Add(this);
    }

    /// <summary>What callers are given.</summary>
    public ISingleflight<TKey> Entry { get; }

    public override Type KeyType => typeof(TKey);

    public override SingleflightStats GetStats() => Entry.GetStats();

    public override IReadOnlyList<SingleflightFlight> GetFlights(int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        return _engine.ListFlights(max).ConvertAll(flight => new SingleflightFlight
        {
            Key = _redactor.Redact(flight.Flight.KeyObject),
            Age = flight.Age,
            Subscribers = flight.Subscribers,
            IsCurrent = flight.Flight.IsCurrent,
        });
    }

    public override IReadOnlyList<SingleflightFailure> GetRecentFailures() => _telemetry.Failures;

    public override async Task DrainAsync(CancellationToken deadline)
    {
        using var overdue = deadline.UnsafeRegister(static self => ((Instance<TKey>)self!).OnDeadline(), this);
        await _engine.DrainAsync(deadline).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        StopFollowing();
        await _engine.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Cancels what is in the air, and does not wait for it.</summary>
    public void Dispose()
    {
        StopFollowing();
        _ = _engine.CloseAsync();
    }

    private Reloading<TOptions> Follow<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>(IServiceProvider services, Registration registration, Action<TOptions>? changed = null)
        where TOptions : class
    {
        var followed = new Reloading<TOptions>(services, registration, _logger, changed);
        _owned.Add(followed);
        return followed;
    }

    private void StopFollowing()
    {
        _metrics.Remove(this);
        foreach (var owned in _owned) owned.Dispose();
    }

    private void OnDeadline()
    {
        if (_engine.GetStats().InFlightCount is > 0 and var inFlight) Log.DrainDeadline(_logger, Name, inFlight);
    }
}
