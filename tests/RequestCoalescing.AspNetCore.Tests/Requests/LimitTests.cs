using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.AspNetCore.Tests.Requests;

/// <summary>Limits of the requests that run alone, and what operators see of runs.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task Callers_past_MaxAlone_get_503_when_a_response_is_not_shared()
    {
        await using var app = await App.StartAsync(
            policies: static requests => requests.AddDefaultPolicy(static policy => policy.Configure(static http => http.MaxAlone = 1)),
            services: static services => services.AddSingleflightExceptionHandler(),
            pipeline: static app =>
            {
                app.UseExceptionHandler();
                app.UseRequestCoalescing();
            });
        var requests = await app.GetTogetherAsync(3);
        await (await app.NextRunAsync()).RespondAsync("nobody's", 200, ("Set-Cookie", "session=0"));
        var alone = await app.NextRunAsync();
        await Patience.UntilAsync(() => requests.Count(static request => request.IsCompleted) == 2, "two are rejected");
        await alone.RespondAsync("own", 200, ("Set-Cookie", "session=1"));
        var responses = await Task.WhenAll(requests).SoonAsync();
        Assert.Equal([200, 503, 503], responses.Select(static response => (int)response.StatusCode).Order());
        Assert.All(responses, static response => Assert.Equal(response.StatusCode != HttpStatusCode.OK, response.Headers.RetryAfter is not null));

        var next = app.GetAsync(); // the place is free
        await (await app.NextRunAsync()).RespondAsync("next", 200, ("Set-Cookie", "session=2"));
        Assert.Equal("next", await (await next.SoonAsync()).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_spans_of_a_flight_and_its_run_name_the_route_and_no_target()
    {
        var spans = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == SingleflightTelemetry.ActivitySourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var app = await App.StartAsync(policies: static requests => requests.AddPolicy("spans", static _ => { }), policy: "spans");
        var request = app.GetAsync("/stage/secret?q=secret");
        await (await app.NextRunAsync()).RespondAsync("");
        await request.SoonAsync();
        await Patience.UntilAsync(() => spans.Count(IsOurs) == 2, "the flight and its run have ended");
        Assert.Equal(["singleflight.endpoint", "singleflight.flight"], spans.Where(IsOurs).Select(static span => span.OperationName).Order());
        Assert.All(spans.Where(IsOurs), static span =>
        {
            Assert.Equal("/stage/{**rest}", span.GetTagItem("http.route"));
            Assert.DoesNotContain(span.TagObjects, static tag => $"{tag.Value}".Contains("secret", StringComparison.Ordinal));
        });

        static bool IsOurs(Activity span) => Equals(span.GetTagItem("singleflight.name"), "requests-spans");
    }
}
