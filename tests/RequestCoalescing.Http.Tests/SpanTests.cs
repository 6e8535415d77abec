using System.Collections.Concurrent;
using System.Diagnostics;

namespace RequestCoalescing.Http.Tests;

/// <summary>The span of a flight says which server was asked.</summary>
public sealed class SpanTests() : HandlerFixture
{
    [Fact]
    public async Task The_span_of_a_flight_has_the_server_and_nothing_of_the_target()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == SingleflightTelemetry.ActivitySourceName,
            Sample = static (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);

        var call = GetAsync("/secret?token=secret");
        await (await Origin.NextAsync()).RespondAsync("text");
        Assert.Equal("text", await TextOf(call));

        var span = Assert.Single(spans, span => Equals(span.GetTagItem("server.port"), Origin.Address.Port));
        Assert.Equal(("singleflight.flight", Origin.Address.Host), (span.OperationName, span.GetTagItem("server.address")));
        Assert.DoesNotContain(span.TagObjects, static tag => tag.Value is string text && text.Contains("secret", StringComparison.Ordinal));
    }
}
