using System.Diagnostics.CodeAnalysis;
using RequestCoalescing;
using RequestCoalescing.Polly;

namespace Polly;

/// <summary>Adds request coalescing to a resilience pipeline.</summary>
public static class SingleflightPipelineBuilderExtensions
{
    /// <summary>
    /// Adds a strategy that lets executions with the same key at the same time share one run of the strategies that are added after it. Add it before a retry, a
    /// circuit breaker or a timeout. Then one run is retried for all callers, and its failure counts once.
    /// </summary>
    /// <typeparam name="TBuilder">The type of the builder.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <param name="singleflight">Coalesces the executions.</param>
    /// <param name="keyGenerator">Returns the key of an execution. Null for its <see cref="ResilienceContext.OperationKey"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddSingleflight<TBuilder>(this TBuilder builder, ISingleflight<string> singleflight, Func<ResilienceContext, string?>? keyGenerator = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        var options = new SingleflightStrategyOptions { Singleflight = singleflight };
        if (keyGenerator is not null) options.KeyGenerator = keyGenerator;
        return builder.AddSingleflight(options);
    }

    /// <inheritdoc cref="AddSingleflight{TBuilder}(TBuilder, ISingleflight{string}, Func{ResilienceContext, string?}?)"/>
    /// <param name="builder">The builder.</param>
    /// <param name="options">The options.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">A required option is missing.</exception>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "The validated options are a type of this assembly, and all of its members are kept.")]
    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicProperties, typeof(SingleflightStrategyOptions))]
    public static TBuilder AddSingleflight<TBuilder>(this TBuilder builder, SingleflightStrategyOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddStrategy(context => new SingleflightStrategy(options, context.Telemetry), options);
    }
}
