using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.DependencyInjection;

/// <summary>
/// Options that follow their sources. An invalid reload is logged and leaves the valid settings in force. Unlike
/// <see cref="IOptionsMonitor{TOptions}"/>, it throws neither at the reload nor at the next read.
/// </summary>
internal sealed class Reloading<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions> : IDisposable
    where TOptions : class
{
    private readonly IOptionsFactory<TOptions> _factory;
    private readonly Registration _registration;
    private readonly SettingsCheck _check;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly List<IDisposable> _subscriptions = [];
    private Action<TOptions>? _changed;
    private TOptions _current;

    /// <exception cref="OptionsValidationException">The options are invalid.</exception>
    public Reloading(IServiceProvider services, Registration registration, ILogger logger)
    {
        (_registration, _logger) = (registration, logger);
        _check = services.GetRequiredService<SettingsCheck>();
        _factory = services.GetRequiredService<IOptionsFactory<TOptions>>();
        _current = _factory.Create(registration.OptionsName);
        foreach (var source in services.GetServices<IOptionsChangeTokenSource<TOptions>>())
        {
            if ((source.Name ?? "") == registration.OptionsName) _subscriptions.Add(ChangeToken.OnChange(source.GetChangeToken, Reload));
        }

        if (_subscriptions.Count > 0) Reload(); // what changed before the subscription
    }

    public TOptions Current => Volatile.Read(ref _current);

    /// <summary>Has the options taken over, now and at each change.</summary>
    public void Apply(Action<TOptions> changed)
    {
        lock (_gate)
        {
            _changed = changed;
            changed(_current);
        }
    }

    public void Dispose()
    {
        foreach (var subscription in _subscriptions) subscription.Dispose();
    }

    private void Reload()
    {
        lock (_gate) // two reloads at once are taken over one after the other, the later one last
        {
            if (!_check.Accepts()) return;
            try
            {
                var options = _factory.Create(_registration.OptionsName);
                _changed?.Invoke(options);
                Volatile.Write(ref _current, options);
            }
            catch (Exception exception)
            {
                Log.ReloadRejected(_logger, _registration.Name, exception.Message);
            }
        }
    }
}
