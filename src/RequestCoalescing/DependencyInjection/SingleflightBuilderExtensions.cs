using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Additions to a registered instance.</summary>
public static class SingleflightBuilderExtensions
{
    /// <summary>
    /// Puts a decorator around the engine of this instance; a later one goes around an earlier one. Its rollout and its verification
    /// stay outside of all.
    /// </summary>
    /// <typeparam name="TKey">The type of the instance's keys.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="decorate">
    /// Makes the decorator of what it goes around; called once, when the instance is made. One that is <see cref="IAsyncDisposable"/> is
    /// disposed with the instance, after the engine.
    /// </param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    public static ISingleflightBuilder Decorate<TKey>(
        this ISingleflightBuilder builder,
        Func<IServiceProvider, ISingleflight<TKey>, ISingleflight<TKey>> decorate)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(decorate);
        SingleflightBuilder.RegistrationOf<TKey>(builder).Decorators.Add(decorate);
        return builder;
    }

    /// <summary>
    /// Says how a key is put into words, for the rollout's choice of keys and for logs (which see it redacted). Without it a key
    /// is what its <c>ToString</c> says in the invariant culture, which does for strings, numbers, GUIDs, enums, tuples and records;
    /// numbers, dates and URIs in it that are equal have one text (<c>1m</c> and <c>1.00m</c>). A type that has no <c>ToString</c> of its own,
    /// or one whose texts may differ for equal keys, needs this.
    /// </summary>
    /// <typeparam name="TKey">The type of the instance's keys.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="textOf">Must give equal texts for equal keys, and different ones for different keys, on every node.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    public static ISingleflightBuilder WithKeyText<TKey>(this ISingleflightBuilder builder, Func<TKey, string> textOf)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(textOf);
        SingleflightBuilder.RegistrationOf<TKey>(builder).TextOf = key => textOf((TKey)key);
        return builder;
    }

    /// <summary>
    /// Binds options of a part that is added to this instance, from <c>Singleflight[:name]:section</c>, as its own settings are: after all that
    /// code configures under the instance's name, and validated with the setting's full path in the message. A name in the section that is no
    /// property of the options is refused.
    /// </summary>
    /// <typeparam name="TOptions">The part's options; their properties are the names that the section can have.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="section">The part's name. Not empty, without a colon.</param>
    /// <param name="bind">Binds a section to the options.</param>
    /// <param name="validate">Throws an <see cref="ArgumentException"/> that names the property.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The section's name is not allowed.</exception>
    public static ISingleflightBuilder BindSettings<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>(
        this ISingleflightBuilder builder,
        string section,
        Action<IConfiguration, TOptions> bind,
        Action<TOptions> validate)
        where TOptions : class
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(section);
        if (section.Contains(':', StringComparison.Ordinal)) throw new ArgumentException($"'{section}' cannot be the name of a section: it has a colon.", nameof(section));
        ArgumentNullException.ThrowIfNull(bind);
        ArgumentNullException.ThrowIfNull(validate);
        SingleflightBuilder.Of(builder).BindSettings(section, bind, validate);
        return builder;
    }

    /// <summary>Configures what the instance tells about its flights. Settings: <c>Singleflight[:name]:Telemetry</c>.</summary>
    /// <param name="builder">The instance.</param>
    /// <param name="configure">Sets the application's defaults; the configuration overrides them.</param>
    /// <returns>The builder.</returns>
    public static ISingleflightBuilder WithTelemetry(this ISingleflightBuilder builder, Action<TelemetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }
}
