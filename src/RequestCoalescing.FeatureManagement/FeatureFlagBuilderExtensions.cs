using Microsoft.FeatureManagement;
using RequestCoalescing;
using RequestCoalescing.FeatureManagement;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Makes a feature flag the switch of an instance.</summary>
public static class FeatureFlagBuilderExtensions
{
    /// <summary>
    /// Coalesces calls only while this feature and <see cref="RolloutOptions.Enabled"/> are both on. The application must have called
    /// <c>AddFeatureManagement</c>.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="feature">The name of the feature. A feature that is not defined is off.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException"><paramref name="feature"/> is empty.</exception>
    /// <remarks>
    /// The flag is evaluated for each call, without regard to the key. To coalesce a share of the keys, use <see cref="RolloutOptions.Fraction"/>.
    /// A feature filter that decides at random for each call would coalesce some calls of a key and not others.
    /// </remarks>
    public static ISingleflightBuilder WithFeatureFlag(this ISingleflightBuilder builder, string feature)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(feature);
        return builder.WithRolloutSwitch(services => new FeatureFlagSwitch(services.GetRequiredService<IFeatureManager>(), feature));
    }
}
