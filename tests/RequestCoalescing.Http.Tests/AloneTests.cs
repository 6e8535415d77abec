using Polly;
using Polly.Retry;

namespace RequestCoalescing.Http.Tests;

/// <summary>Requests whose response is not shared go alone, and a limit bounds them. Retries behind the handler are made once for all callers.</summary>
public sealed class AloneTests() : HandlerFixture
{
    private static readonly (string, string)[] s_private = [("Cache-Control", "private")];

    [Fact]
    public async Task Followers_past_MaxAlone_are_rejected_at_once_and_the_others_go_in_parallel()
    {
        Use(static options => options.MaxAlone = 2);
        var (own, others) = await BurstAsync();
        var alone = new[] { await Origin.NextAsync(), await Origin.NextAsync() };
        await Patience.UntilAsync(() => others.Count(static call => call.IsFaulted) == 2, "two are rejected");
        foreach (var rejected in others.Where(static call => call.IsFaulted))
        {
            var error = await rejected.ThrowsAsync<FlightRejectedException>();
            Assert.Equal((FlightRejectionReason.MaxAlone, 2), (error.Reason, error.Limit));
        }

        var late = await GetAsync().ThrowsAsync<FlightRejectedException>(); // its key is marked
        Assert.Equal("The call was rejected: the limit MaxAlone (2) has been reached.", late.Message);
        Assert.Equal((3, 3L), (Origin.Requests, Coalescer.Rejected));

        foreach (var exchange in alone) await exchange.RespondAsync("alone", 200, s_private);
        Assert.Equal(["alone", "alone", "own"], (await Task.WhenAll(others.Where(static call => !call.IsFaulted).Append(own).Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("next", 200, s_private);
        Assert.Equal("next", await TextOf(next));
    }

    [Fact]
    public async Task If_the_rest_runs_alone_MaxAlone_stops_nobody()
    {
        Use(static options => options.MaxAlone = 1, static limits => limits.Overflow = OverflowBehavior.RunAlone);
        var (own, others) = await BurstAsync();
        foreach (var exchange in new[] { await Origin.NextAsync(), await Origin.NextAsync(), await Origin.NextAsync(), await Origin.NextAsync() }) await exchange.RespondAsync("alone", 200, s_private);
        Assert.Equal(["alone", "alone", "alone", "alone", "own"], (await Task.WhenAll(others.Append(own).Select(TextOf)).SoonAsync()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_request_that_fails_or_whose_caller_leaves_gives_its_place_back()
    {
        Use(static options => options.MaxAlone = 1);
        var first = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("private", 200, s_private);
        Assert.Equal("private", await TextOf(first));

        var failing = GetAsync();
        (await Origin.NextAsync()).Abort();
        await failing.ThrowsAsync<HttpRequestException>();

        using var leaving = new CancellationTokenSource();
        var left = SendAsync(HttpMethod.Get, "/", leaving.Token);
        var exchange = await Origin.NextAsync();
        await leaving.CancelAsync();
        await left.ThrowsAsync<OperationCanceledException>();
        exchange.End();

        var next = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("next", 200, s_private);
        Assert.Equal("next", await TextOf(next));
    }

    [Fact]
    public async Task Requests_that_go_alone_by_their_own_headers_do_not_count()
    {
        Use(static options => options.MaxAlone = 1);
        var calls = new[] { GetAsync("/", ("Range", "bytes=0-1")), GetAsync("/", ("Cookie", "a=1")), GetAsync("/", ("Cache-Control", "no-cache")) };
        foreach (var exchange in new[] { await Origin.NextAsync(), await Origin.NextAsync(), await Origin.NextAsync() }) await exchange.RespondAsync("alone");
        Assert.All(await Task.WhenAll(calls.Select(TextOf)).SoonAsync(), static text => Assert.Equal("alone", text));
    }

    [Fact]
    public async Task A_retry_behind_the_handler_is_one_for_all_callers()
    {
        var retry = new ResiliencePipelineBuilder<HttpResponseMessage>().AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>().Handle<HttpRequestException>(), // the connection failed before the headers
            MaxRetryAttempts = 1,
            Delay = TimeSpan.Zero,
        }).Build();
        Use(static _ => { }, behind: () => new Retrying(retry));
        await AssertTriedTwiceForAllAsync();
    }

    [Fact]
    public async Task With_RetriesOnce_a_connection_that_fails_is_tried_once_more_for_all_callers()
    {
        Use(static options => options.RetriesOnce = true);
        await AssertTriedTwiceForAllAsync();
    }

    [Fact]
    public async Task With_RetriesOnce_a_response_that_reports_an_error_is_not_tried_again()
    {
        Use(static options => options.RetriesOnce = true);
        var call = GetAsync();
        await (await Origin.NextAsync()).RespondAsync("down", 503);
        Assert.Equal("down", await TextOf(call));
        Assert.Equal(1, Origin.Requests);
    }

    // The first burst has its response at the second try. In the second burst, both tries fail.
    private async Task AssertTriedTwiceForAllAsync()
    {
        var calls = new[] { GetAsync(), GetAsync(), GetAsync() };
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(3);
        exchange.Abort();
        await (await Origin.NextAsync()).RespondAsync("second try");
        Assert.All(await Task.WhenAll(calls.Select(TextOf)).SoonAsync(), static text => Assert.Equal("second try", text));
        Assert.Equal(2, Origin.Requests);

        calls = [GetAsync(), GetAsync()];
        exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(2);
        exchange.Abort();
        (await Origin.NextAsync()).Abort();
        foreach (var call in calls) await call.ThrowsAsync<HttpRequestException>();
        Assert.Equal(4, Origin.Requests);
        await AllIsFreeAsync();
    }

    // Five callers, of which one has led and has its response.
    private async Task<(Task<HttpResponseMessage> Own, Task<HttpResponseMessage>[] Others)> BurstAsync()
    {
        var calls = Enumerable.Range(0, 5).Select(_ => GetAsync()).ToList();
        var exchange = await Origin.NextAsync();
        await Flights.UntilSubscribersAsync(5);
        await exchange.RespondAsync("own", 200, s_private);
        await Patience.UntilAsync(() => calls.Exists(static call => call.IsCompletedSuccessfully), "the leader has its response");
        var own = calls.Find(static call => call.IsCompletedSuccessfully)!;
        calls.Remove(own);
        return (own, [.. calls]);
    }

    private sealed class Retrying(ResiliencePipeline<HttpResponseMessage> pipeline) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            pipeline.ExecuteAsync(async token => await base.SendAsync(request, token), cancellationToken).AsTask();
    }
}
