using System.ComponentModel.DataAnnotations;
using Polly;

namespace RequestCoalescing.Polly;

/// <summary>Options of the strategy that <c>AddSingleflight</c> adds to a pipeline.</summary>
public class SingleflightStrategyOptions : ResilienceStrategyOptions
{
    /// <summary>Creates options whose <see cref="ResilienceStrategyOptions.Name"/> is "Singleflight".</summary>
    public SingleflightStrategyOptions() => Name = "Singleflight";

    /// <summary>Coalesces the executions. Required. Executions with equal keys must have the same type of result.</summary>
    [Required]
    public ISingleflight<string>? Singleflight { get; set; }

    /// <summary>
    /// Returns the key of an execution. Executions with the same key at the same time share one run. Null or an empty text lets an execution pass
    /// alone. Default: <see cref="ResilienceContext.OperationKey"/>.
    /// </summary>
    [Required]
    public Func<ResilienceContext, string?> KeyGenerator { get; set; } = static context => context.OperationKey;

    /// <summary>
    /// Copies properties from the context of the execution that leads to the context of the run. Null if the rest of the pipeline needs none. The run
    /// has a context of its own, because it belongs to no single execution: it has the operation key, and the token of the flight.
    /// </summary>
    public Action<ResilienceContext, ResilienceContext>? CopyProperties { get; set; }
}
