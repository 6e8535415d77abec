using Microsoft.Extensions.Configuration;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Lets the maximum duration of an instance's flights follow the durations of its recent ones.</summary>
public static class AdaptiveMaxDurationBuilderExtensions
{
    /// <summary>
    /// Lets the maximum duration of a flight be a multiple of the 99th percentile of the recent flights: those that succeeded, and those that timed out,
    /// with the time that they had. It stays between <see cref="AdaptiveMaxDurationOptions.Floor"/> and
    /// <see cref="SingleflightOptions.MaxDuration"/>. The value in force is in the metric <c>singleflight.max_duration</c>, in the statistics, and on the live
    /// page.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight[:name]:AdaptiveMaxDuration</c> override them.</param>
    /// <returns>The builder.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("weather", options => options.MaxDuration = TimeSpan.FromSeconds(20)) // the ceiling
    ///     .WithAdaptiveMaxDuration(adaptive => adaptive.Factor = 4);
    /// </code>
    /// </example>
    public static ISingleflightBuilder WithAdaptiveMaxDuration(this ISingleflightBuilder builder, Action<AdaptiveMaxDurationOptions>? configure = null)
    {
        var registration = SingleflightBuilder.Of(builder).Registration;
        if (!registration.AdaptsMaxDuration)
        {
            registration.AdaptsMaxDuration = true;
            builder.BindSettings<AdaptiveMaxDurationOptions>("AdaptiveMaxDuration", static (section, options) => section.Bind(options), static options => options.Validate());
        }

        if (configure is not null) builder.Services.Configure(builder.Name, configure);
        return builder;
    }
}
