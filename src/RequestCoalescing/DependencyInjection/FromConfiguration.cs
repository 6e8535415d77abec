using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace RequestCoalescing.DependencyInjection;

/// <summary>
/// Binds an instance's options from the configuration, if there is one. It runs after all configuration by code. Code sets the application's
/// defaults, and the configuration overrides them, so that an operator can throw a switch.
/// </summary>
internal sealed class FromConfiguration<TOptions>(
    string name,
    string section,
    IConfiguration? configuration,
    Action<IConfiguration, TOptions> bind) : IPostConfigureOptions<TOptions>, IOptionsChangeTokenSource<TOptions>
    where TOptions : class
{
    public string Name => name;

    public void PostConfigure(string? optionsName, TOptions options)
    {
        if ((optionsName ?? "") == name && configuration is not null) bind(configuration.GetSection(section), options);
    }

    public IChangeToken GetChangeToken() =>
        configuration?.GetReloadToken() ?? new CancellationChangeToken(CancellationToken.None);
}
