using Microsoft.Extensions.Configuration;
using RequestCoalescing;
using RequestCoalescing.DependencyInjection;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Finds callers that change a shared result.</summary>
public static class MutationDetectionBuilderExtensions
{
    /// <summary>
    /// In Development, compares the content of each result at the end of its flight with its content some seconds later. A difference means that an
    /// object that callers share was changed after the flight. It is logged (event 17) with the types of the result and of the key. Objects that cannot
    /// be read with certainty are skipped.
    /// </summary>
    /// <param name="builder">The instance.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight[:name]:MutationDetection</c> override them.</param>
    /// <returns>The builder.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("posts").WithMutationDetection();
    /// </code>
    /// </example>
    public static ISingleflightBuilder WithMutationDetection(this ISingleflightBuilder builder, Action<MutationDetectionOptions>? configure = null)
    {
        var registration = SingleflightBuilder.Of(builder).Registration;
        if (!registration.DetectsMutations)
        {
            registration.DetectsMutations = true;
            builder.BindSettings<MutationDetectionOptions>("MutationDetection", static (section, options) => section.Bind(options), static options => options.Validate());
        }

        if (configure is not null) builder.Services.Configure(builder.Name, configure);
        return builder;
    }
}
