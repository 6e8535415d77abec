using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RequestCoalescing.Adaptive;
using RequestCoalescing.Engine;
using RequestCoalescing.Hedging;
using RequestCoalescing.Mutation;
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
    private readonly SafeLogger _logger;
    private readonly IServiceProvider _services;
    private readonly Registration _registration;
    private readonly Reloading<SingleflightOptions> _options;
    private readonly Reloading<RolloutOptions> _rollout;
    private readonly Reloading<VerificationOptions> _verification;
    private readonly List<IDisposable> _owned = [];
    private readonly List<ISingleflight<TKey>> _decorators = [];
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isPastDeadline;
    private bool _isClosing;

    public Instance(IServiceProvider services, Registration<TKey> registration)
        : base(registration.Name)
    {
        (_services, _registration) = (services, registration);
        _logger = new SafeLogger(services.GetService<ILoggerFactory>()?.CreateLogger(typeof(SingleflightInstance).Namespace!) ?? NullLogger.Instance);
        _metrics = services.GetRequiredService<SingleflightMetrics>();
        services.GetRequiredService<SettingsCheck>().ThrowIfWrong();
        try
        {
            var options = _options = Follow<SingleflightOptions>(services, registration);
            var telemetry = Follow<TelemetryOptions>(services, registration);
            var rollout = _rollout = Follow<RolloutOptions>(services, registration);
            var verification = _verification = Follow<VerificationOptions>(services, registration);
            var clock = options.Current.TimeProvider;

            _redactor = new KeyRedactor(registration.TextOf, telemetry);
            var adapting = registration.AdaptsMaxDuration ? Follow<AdaptiveMaxDurationOptions>(services, registration) : null;
            var adaptive = adapting is null ? null : new AdaptiveMaxDuration(adapting.Current, clock);
            _telemetry = new FlightTelemetry(Name, _logger, _metrics, _redactor, clock, telemetry, adaptive);
            telemetry.Apply(_telemetry.Change);
            _engine = new Singleflight<TKey>(options.Current, comparer: null, Name, _redactor.Redact, _telemetry);

            ISingleflight<TKey> decorated = _engine;
            foreach (var decorate in registration.Decorators)
            {
                decorated = decorate(services, decorated);
                _decorators.Add(decorated);
            }

            if (registration.DetectsMutations) decorated = DetectMutations(services, registration, decorated, clock);
            if (registration.Hedges) decorated = new HedgingSingleflight<TKey>(decorated, Follow<HedgingOptions>(services, registration), clock);
            var verified = new VerifyingSingleflight<TKey>(decorated, _engine, Name, _redactor, _logger, verification, options);
            var observation = new Observation<TKey>(options.Current);
            _owned.Add(observation);
            var rolledOut = new RolloutSingleflight<TKey>(
                verified, _engine, new KeySampler<TKey>(registration.TextOf, Name, _logger), registration.CreateSwitch?.Invoke(services), Name, _logger, rollout, observation);
            verification.Apply(verified.Change);
            rollout.Apply(rolledOut.Change);
            var waits = new CallerWaits(_metrics, _telemetry.Latencies, clock, Name);
            Entry = HostedSingleflight.Create(
                new HostedParts<TKey>(decorated as Singleflight<TKey>, verified, rolledOut, services.GetRequiredService<IServiceScopeFactory>(), waits));

            // A flight that lands may change the maximum duration. It does not wait for a reload, which runs code of the application.
            var applying = new Lock();
            var applied = options.Current;
            options.Apply(changed =>
            {
                Apply(changed);
                observation.Change(changed);
            });
            adapting?.Apply(changed =>
            {
                adaptive!.Options = changed;
                Apply(null);
            });
            if (adaptive is not null) adaptive.Changed = () => Apply(null);

            void Apply(SingleflightOptions? changed)
            {
                lock (applying)
                {
                    changed ??= applied;
                    _engine.Change(adaptive is null ? changed : changed.Within(adaptive.Under(changed.MaxDuration)));
                    applied = changed;
                }
            }
        }
        catch
        {
            Release();
            throw;
        }

        _metrics.Add(this);
    }

    /// <summary>What callers are given.</summary>
    public ISingleflight<TKey> Entry { get; }

    public override Type KeyType => typeof(TKey);

    public override TimeSpan MaxDuration => _engine.MaxDuration;

    internal override Latencies? Latencies => _telemetry.Latencies;

    public override SingleflightStats GetStats() => Entry.GetStats();

    public override IReadOnlyList<SingleflightFlight> GetFlights(int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        return _engine.ListFlights(max, _redactor.Redact);
    }

    public override IReadOnlyList<SingleflightFlight> GetAbandoned(int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        return _engine.ListAbandoned(max, _redactor.Redact);
    }

    public override SingleflightSettings GetSettings()
    {
        var (options, rollout) = (_options.Current.Within(MaxDuration), _rollout.Current);
        return new SingleflightSettings(options.MaxDuration, options.JoinWindow, options.MaxInFlight, options.MaxSubscribers, options.Overflow)
        {
            IsEnabled = rollout.Enabled,
            Mode = rollout.Mode,
            RolloutFraction = rollout.Fraction,
            HasSwitch = _registration.CreateSwitch is not null,
            VerificationFraction = _verification.Current.Fraction,
        };
    }

    public override IReadOnlyList<SingleflightFailure> GetRecentFailures() => _telemetry.Failures;

    public override IReadOnlyList<SingleflightFailureGroup> GetFailureGroups() => _telemetry.FailureGroups;

    public override void LogSettings()
    {
        if (!_logger.IsEnabled(LogLevel.Information)) return;
        var settings = _registration.Settings.SelectMany(part => part.Value.ValuesIn(_services).Select(value => part.Key.Length == 0 ? value : $"{part.Key}:{value}"));
        Log.Started(_logger, Name, KeyType, string.Join(", ", settings));
    }

    public override IEngine Engine => _engine;

    public override void Abort()
    {
        var inFlight = _engine.GetStats().InFlightCount;
        if (inFlight > 0) Log.DrainDeadline(_logger, Name, inFlight);
        _isPastDeadline = true;
        _ = _engine.CloseAsync();
    }

    /// <summary>Cancels what is in the air and waits for it; not so past the host's own deadline. Then disposes the decorators.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_isPastDeadline) FlightScope.ThrowIfInFlightOf(_engine);
        var closing = CloseOnceAsync();
        if (!_isPastDeadline) await closing.ConfigureAwait(false);
    }

    /// <summary>Cancels what is in the air, and does not wait for it.</summary>
    public void Dispose() => _ = CloseOnceAsync();

    // A service provider disposes of an instance once for each service type under which it has handed it out.
    private Task CloseOnceAsync()
    {
        if (!Interlocked.Exchange(ref _isClosing, true)) _ = CloseAsync();
        return _closed.Task;
    }

    private async Task CloseAsync()
    {
        try
        {
            Release();
            await _engine.CloseAsync().ConfigureAwait(false);
            foreach (var decorator in _decorators)
            {
                if (decorator is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync().ConfigureAwait(false);
                else if (decorator is IDisposable synchronous) synchronous.Dispose();
            }

            _closed.SetResult();
        }
        catch (Exception exception)
        {
            _closed.SetException(exception);
            Outcome.Observe(_closed.Task); // a synchronous disposal is not awaited
        }
    }

    private ISingleflight<TKey> DetectMutations(IServiceProvider services, Registration registration, ISingleflight<TKey> decorated, TimeProvider clock)
    {
        var options = services.GetRequiredService<IOptionsFactory<MutationDetectionOptions>>().Create(registration.OptionsName);
        var isOn = options.Enabled ?? services.GetService<IHostEnvironment>()?.IsDevelopment() ?? false;
        return isOn ? new MutationDetectingSingleflight<TKey>(decorated, options.CheckAfter, clock, Name, _logger) : decorated;
    }

    private Reloading<TOptions> Follow<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>(
        IServiceProvider services,
        Registration registration)
        where TOptions : class
    {
        var followed = new Reloading<TOptions>(services, registration, _logger);
        _owned.Add(followed);
        return followed;
    }

    private void Release()
    {
        _metrics.Remove(this);
        foreach (var owned in _owned) owned.Dispose();
    }
}
