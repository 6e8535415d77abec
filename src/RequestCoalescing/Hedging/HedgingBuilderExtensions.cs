using Microsoft.Extensions.Configuration;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Starts a second run beside a slow leader.</summary>
public static class HedgingBuilderExtensions
{
    /// <summary>
    /// When a flight is slower than <see cref="HedgingOptions.HedgeAfter"/>, the work of one of its followers starts beside the leader's. The first
    /// success lands for all, and the token of the other run fires. A flight has at most one second run. A flight without a follower waits for one.
    /// A run that has lost may go on after the landing, if it ignores its token. It does not count for the limits then, and no disposal waits for it. The second
    /// runs are in the statistics (<see cref="SingleflightStats.Hedges"/>) and in the metric <c>singleflight.hedges</c>.
    /// </summary>
    /// <param name="builder">The instance. Its work must be safe to run twice at the same time.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight[:name]:Hedging</c> override them.</param>
    /// <returns>The builder.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("weather")
    ///     .WithHedging(hedging => hedging.HedgeAfter = TimeSpan.FromMilliseconds(300)); // most flights take less
    /// </code>
    /// </example>
    public static ISingleflightBuilder WithHedging(this ISingleflightBuilder builder, Action<HedgingOptions>? configure = null)
    {
        var registration = SingleflightBuilder.Of(builder).Registration;
        if (!registration.Hedges)
        {
            registration.Hedges = true;
            builder.BindSettings<HedgingOptions>("Hedging", static (section, options) => section.Bind(options), static options => options.Validate());
        }

        if (configure is not null) builder.Services.Configure(builder.Name, configure);
        return builder;
    }
}
