using Patterns.Backends;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using RequestCoalescing;

namespace Patterns;

internal sealed record Quote(string Symbol, decimal Price);

/// <summary>Asks an API through a pipeline.</summary>
internal sealed class QuoteClient(HttpClient http, ResiliencePipeline<Quote?> pipeline)
{
    public const int Attempts = 3;

    // The singleflight comes first, so that all that follows happens once for all callers. The breaker is outside of the retry, and counts runs.
    public static ResiliencePipeline<Quote?> CreatePipeline(ISingleflight flights, CircuitBreakerStateProvider circuit) =>
        new ResiliencePipelineBuilder<Quote?>()
            .AddSingleflight(flights)
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Quote?> { MinimumThroughput = 2, StateProvider = circuit }) // two failed runs open it
            .AddRetry(new RetryStrategyOptions<Quote?> { MaxRetryAttempts = Attempts - 1, Delay = TimeSpan.FromMilliseconds(50) })
            .Build();

    public async ValueTask<Quote?> GetAsync(string symbol, CancellationToken cancellationToken)
    {
        var context = ResilienceContextPool.Shared.Get($"quote:{symbol}", cancellationToken);
        try
        {
            // The token of the inner context is the flight's.
            return await pipeline.ExecuteAsync(
                static async (inner, state) => await state.http.GetFromJsonAsync<Quote>($"quotes/{state.symbol}", inner.CancellationToken),
                context,
                (http, symbol));
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }
}

/// <summary>An API is down while a thousand callers ask it.</summary>
internal static class CircuitBreakerPattern
{
    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var api = await LocalApi.StartAsync(
            requestsPerHour: 10_000, static () => Results.StatusCode(StatusCodes.Status503ServiceUnavailable), cancellationToken);
        var services = new ServiceCollection();
        services.AddSingleflight();
        services.AddSingleton<CircuitBreakerStateProvider>();
        services.AddSingleton(static services => // one pipeline for all callers
            QuoteClient.CreatePipeline(services.GetRequiredService<ISingleflight>(), services.GetRequiredService<CircuitBreakerStateProvider>()));
        services.AddHttpClient<QuoteClient>(http => http.BaseAddress = api.Address);
        await using var provider = services.BuildServiceProvider();
        var (quotes, circuit) = (provider.GetRequiredService<QuoteClient>(), provider.GetRequiredService<CircuitBreakerStateProvider>());

        var crowd = new Crowd(1_000);
        api.BeforeAnswer = () => crowd.HaveAsked;
        var failures = await crowd.AskAsync(() => FailureOfAsync(quotes, cancellationToken));
        var requests = api.Requests;
        Outcome.Expect(failures.All(failure => failure is HttpRequestException), "A caller got something other than the API's failure.");
        Outcome.Expect(circuit.CircuitState == CircuitState.Closed, "The breaker counted the failure more than once, and opened the circuit.");
        output.WriteLine($"{failures.Length:N0} calls failed together. The API saw {requests} attempts, and the circuit is closed.");

        await FailureOfAsync(quotes, cancellationToken);
        Outcome.Expect(circuit.CircuitState == CircuitState.Open, "The breaker did not count the first failure.");
        output.WriteLine("One more call failed, and opened the circuit: it was the second failure that the breaker counted.");

        Outcome.Expect(requests % QuoteClient.Attempts == 0, $"The API saw {requests} attempts.");
        return new Outcome(crowd.Asked, requests / QuoteClient.Attempts, $"run of {QuoteClient.Attempts} attempts");
    }

    private static async ValueTask<Exception?> FailureOfAsync(QuoteClient quotes, CancellationToken cancellationToken)
    {
        try
        {
            await quotes.GetAsync("ACME", cancellationToken);
            return null;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return exception;
        }
    }
}
