using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses which calls of an instance are coalesced.</summary>
public static class RolloutBuilderExtensions
{
    /// <summary>
    /// Sets the application's defaults for the rollout. The settings <c>Singleflight[:name]:Rollout</c> override them, and apply even if this is
    /// not called.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The builder.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("weather")
    ///     .WithRollout(rollout => rollout.Fraction = 0.01);    // "Singleflight:weather:Rollout:Enabled": false switches it off at run time
    /// </code>
    /// </example>
    public static ISingleflightBuilder WithRollout(this ISingleflightBuilder builder, Action<RolloutOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }

    /// <summary>Adds a switch beside <see cref="RolloutOptions.Enabled"/>. Calls are coalesced only while both are on.</summary>
    /// <param name="builder">The instance.</param>
    /// <param name="create">Creates the switch. It is called once, when the instance is created.</param>
    /// <returns>The builder.</returns>
    public static ISingleflightBuilder WithRolloutSwitch(this ISingleflightBuilder builder, Func<IServiceProvider, IRolloutSwitch> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        SingleflightBuilder.Of(builder).Registration.CreateSwitch = create;
        return builder;
    }
}
