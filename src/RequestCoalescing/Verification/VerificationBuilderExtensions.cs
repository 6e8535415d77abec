using System.Collections;
using RequestCoalescing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Catches wrong keys at run time.</summary>
public static class VerificationBuilderExtensions
{
    /// <summary>
    /// Has a share of the followers run their own work as well, and reports where it makes something else than they got: the sign of
    /// a key that lacks a parameter, or the viewer. The settings
    /// <c>Singleflight[:name]:Verification</c> override what is set here; they are followed whether or not this is called.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="fraction">The share of followers that are verified, 0 to 1. Each costs a backend call, and waits for it.</param>
    /// <param name="comparer">Says which results are the same; null for equality of values. See <see cref="VerificationOptions.Comparer"/>.</param>
    /// <param name="configure">Sets what else there is to choose.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="fraction"/> is not from 0 to 1.</exception>
    public static ISingleflightBuilder WithVerification(
        this ISingleflightBuilder builder,
        double fraction,
        IEqualityComparer? comparer = null,
        Action<VerificationOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        new VerificationOptions { Fraction = fraction }.Validate();
        builder.Services.Configure<VerificationOptions>(builder.Name, options =>
        {
            options.Fraction = fraction;
            options.Comparer = comparer;
            configure?.Invoke(options);
        });
        return builder;
    }
}
