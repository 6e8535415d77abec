using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.DependencyInjection;

internal sealed class SingleflightBuilder(IServiceCollection services, Registration registration) : ISingleflightBuilder
{
    public IServiceCollection Services => services;

    public string Name => registration.OptionsName;

    public Type KeyType => registration.KeyType;

    public Registration Registration => registration;

    /// <summary>Binds options of this instance to its section of the configuration, or to a part of that section.</summary>
    /// <param name="part">The part's name; empty for the instance's own settings.</param>
    /// <param name="bind">Binds a section to the options.</param>
    /// <param name="validate">Throws an <see cref="ArgumentException"/> that names the property.</param>
    public void BindSettings<[DynamicallyAccessedMembers(KnownSettings.Needed)] TOptions>(
        string part,
        Action<IConfiguration, TOptions> bind,
        Action<TOptions> validate)
        where TOptions : class
    {
        if (!Registration.Settings.TryGetValue(part, out var known)) Registration.Settings.Add(part, known = new KnownSettings());
        known.Add<TOptions>(Name);

        var section = part.Length == 0 ? Registration.Section : $"{Registration.Section}:{part}";
        services.AddSingleton<IPostConfigureOptions<TOptions>>(Create);
        services.AddSingleton<IOptionsChangeTokenSource<TOptions>>(Create);
        services.AddSingleton<IValidateOptions<TOptions>>(new ValidateSettings<TOptions>(Name, section, validate));

        FromConfiguration<TOptions> Create(IServiceProvider provider) => new(Name, section, provider.GetService<IConfiguration>(), bind);
    }

    /// <exception cref="ArgumentException">The builder was not made by <c>AddSingleflight</c>.</exception>
    public static SingleflightBuilder Of(ISingleflightBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder as SingleflightBuilder ??
            throw new ArgumentException("The builder must be one that AddSingleflight returned.", nameof(builder));
    }

    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    public static Registration<TKey> RegistrationOf<TKey>(ISingleflightBuilder builder)
        where TKey : notnull
    {
        var registration = Of(builder).Registration;
        return registration as Registration<TKey> ?? throw new ArgumentException(
            $"The keys of this instance are of type {registration.KeyType}, not {typeof(TKey)}.", nameof(builder));
    }
}
