using Microsoft.FeatureManagement;

namespace RequestCoalescing.FeatureManagement;

internal sealed class FeatureFlagSwitch(IFeatureManager features, string feature) : IRolloutSwitch
{
    public ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken) => new(features.IsEnabledAsync(feature));
}
