using System.Collections;
using RequestCoalescing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Catches wrong keys at run time.</summary>
public static class VerificationBuilderExtensions
{
    /// <summary>
    /// Lets a share of the followers run their own work too, and reports a follower whose own result differs from the one it got. A difference
    /// means that the key lacks a parameter, or the viewer. The settings <c>Singleflight[:name]:Verification</c> override the values that are set here,
    /// and apply even if this is not called.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="fraction">The share of followers that are verified, 0 to 1. Each verification costs a backend call, for which the follower waits.</param>
    /// <param name="comparer">Decides which results are equal. Null to compare them by their content. See <see cref="VerificationOptions.Comparer"/>.</param>
    /// <param name="configure">Sets the other options.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="fraction"/> is not from 0 to 1.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("weather")
    ///     .WithVerification(0.01, configure: verification => verification.OnMismatch = MismatchBehavior.UseOwn);
    /// </code>
    /// </example>
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
