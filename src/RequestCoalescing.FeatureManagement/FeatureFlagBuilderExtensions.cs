using Microsoft.FeatureManagement;
using RequestCoalescing;
using RequestCoalescing.FeatureManagement;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>A feature flag as the switch of an instance.</summary>
public static class FeatureFlagBuilderExtensions
{
    /// <summary>
    /// Coalesces calls only while this feature is on (and the rollout's own <c>Enabled</c> too). Needs <c>AddFeatureManagement</c>.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="feature">The name of the feature. A feature that is not defined is off.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException"><paramref name="feature"/> is empty.</exception>
    /// <remarks>
    /// The flag is asked at each call, for all keys alike. For a share of the keys use <see cref="RolloutOptions.Fraction"/>: a
    /// filter that throws dice for each call would have the calls of one key now in and now out.
    /// </remarks>
    public static ISingleflightBuilder WithFeatureFlag(this ISingleflightBuilder builder, string feature)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(feature);
        return builder.WithRolloutSwitch(services => new FeatureFlagSwitch(services.GetRequiredService<IFeatureManager>(), feature));
    }
}
