using Polly;
using Polly.Retry;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/resilience.md and of the Polly package's readme.</summary>
internal static class Resilience
{
    public static void Order()
    {
        // <snippet resilience-pipeline>
        var pipeline = new ResiliencePipelineBuilder<Weather>()
            .AddSingleflight(new Singleflight())                                      // first: all that follows runs once for all callers
            .AddRetry(new RetryStrategyOptions<Weather> { MaxRetryAttempts = 3 })
            .AddTimeout(TimeSpan.FromSeconds(2))
            .Build();
        // </snippet>
        _ = pipeline;
    }

    public static async Task<Weather> ExecuteAsync(ResiliencePipeline<Weather> pipeline, IForecasts forecasts, string city, CancellationToken cancellationToken)
    {
        // <snippet resilience-execute>
        var context = ResilienceContextPool.Shared.Get($"weather:{city}", cancellationToken);
        try
        {
            return await pipeline.ExecuteAsync(
                static (inner, state) => state.forecasts.OfAsync(state.city, inner.CancellationToken), context, (forecasts, city));
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
        // </snippet>
    }

    internal sealed record Weather(string City);

    internal interface IForecasts
    {
        ValueTask<Weather> OfAsync(string city, CancellationToken cancellationToken);
    }
}
