using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.Retry;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-polly>
public sealed class QuoteService(ISingleflight flights, IQuoteApi api)
{
    private readonly ResiliencePipeline<Quote> _pipeline = new ResiliencePipelineBuilder<Quote>()
        .AddRetry(new RetryStrategyOptions<Quote> { MaxRetryAttempts = 2, Delay = TimeSpan.FromMilliseconds(50) })
        .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Quote>())
        .AddTimeout(TimeSpan.FromSeconds(2)) // of one attempt; MaxDuration bounds all of them
        .Build();

    public ValueTask<Quote> GetAsync(string symbol, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(
            symbol,
            flight => _pipeline.ExecuteAsync(attempt => api.GetAsync(symbol, attempt), flight),
            cancellationToken);
}
// </snippet>

public sealed record Quote(decimal Price);

public interface IQuoteApi
{
    ValueTask<Quote> GetAsync(string symbol, CancellationToken cancellationToken);
}

public sealed class PollyRecipe : IQuoteApi
{
    private readonly Singleflight _flights = new();
    private readonly Backend<Quote> _backend = new();

    [Fact]
    public async Task All_callers_share_the_attempts_of_one_flight()
    {
        var service = new QuoteService(_flights, this);
        var callers = Enumerable.Range(0, 10).Select(_ => service.GetAsync("ACME", default).AsTask()).ToArray();
        (await _backend.NextRunAsync()).Fail(new HttpRequestException("once"));
        (await _backend.NextRunAsync()).Succeed(new Quote(42));
        Assert.All(await Task.WhenAll(callers).SoonAsync(), quote => Assert.Equal(42, quote.Price));
        Assert.Equal(2, _backend.Runs);
    }

    [Fact]
    public async Task Hedging_around_a_flight_hedges_nothing()
    {
        var hedging = new ResiliencePipelineBuilder<Quote>()
            .AddHedging(new HedgingStrategyOptions<Quote> { Delay = TimeSpan.Zero, MaxHedgedAttempts = 1 }) // both attempts at once
            .Build();
        var caller = hedging.ExecuteAsync(token => _flights.ExecuteAsync("ACME", flight => _backend.RunAsync(flight), token), default).AsTask();
        var run = await _backend.NextRunAsync();
        await _flights.UntilSubscribersAsync(2); // the second attempt has joined the first
        run.Succeed(new Quote(42));
        Assert.Equal(42, (await caller.SoonAsync()).Price);
        Assert.Equal(1, _backend.Runs);
    }

    ValueTask<Quote> IQuoteApi.GetAsync(string symbol, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken);
}
