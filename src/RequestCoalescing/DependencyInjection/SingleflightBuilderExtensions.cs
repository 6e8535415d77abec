using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Additions to a registered instance.</summary>
public static class SingleflightBuilderExtensions
{
    /// <summary>
    /// Puts a decorator around the engine of this instance. A decorator that is added later goes around the earlier ones. Rollout and verification
    /// stay outside of all decorators.
    /// </summary>
    /// <typeparam name="TKey">The type of the instance's keys.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="decorate">
    /// Creates the decorator around the given instance. It is called once, when the instance is created. A decorator that is
    /// <see cref="IAsyncDisposable"/> or <see cref="IDisposable"/> is disposed of once, after the engine.
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
    /// Sets how a key is converted to text. The rollout chooses keys by that text, and logs show it redacted. By default the text of a key is its
    /// <c>ToString()</c> in the invariant culture, which is right for strings, numbers, GUIDs, enums, tuples and records. Equal numbers, dates and
    /// URIs in it have one text (<c>1m</c> and <c>1.00m</c>). You need this for a type that does not override <c>ToString</c>, and for one whose
    /// texts may differ for equal keys.
    /// </summary>
    /// <typeparam name="TKey">The type of the instance's keys.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="textOf">Must return equal texts for equal keys, and different texts for different keys, on every node.</param>
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
    /// Binds the options of a part that you add to this instance to the section <c>Singleflight[:name]:section</c>. The configuration overrides the
    /// values that code sets under the instance's name. A value that is not valid is refused with the full path of the setting, and so is a name
    /// that is not a property of the options.
    /// </summary>
    /// <typeparam name="TOptions">The part's options. Their properties are the names that the section may contain.</typeparam>
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

    /// <summary>Configures logs, spans and the redaction of keys. The settings are in <c>Singleflight[:name]:Telemetry</c>.</summary>
    /// <param name="builder">The instance.</param>
    /// <param name="configure">Sets the application's defaults. The configuration overrides them.</param>
    /// <returns>The builder.</returns>
    public static ISingleflightBuilder WithTelemetry(this ISingleflightBuilder builder, Action<TelemetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }
}
