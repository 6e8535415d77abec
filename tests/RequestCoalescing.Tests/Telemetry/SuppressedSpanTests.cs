using System.Diagnostics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>Where the leader's context is kept from the work, its span still has the flight's for a child.</summary>
public sealed class SuppressedSpanTests() : TelemetryFixture(traces: true, options: options => options.ContextFlow = ContextFlow.Suppress)
{
    private static readonly ActivitySource s_source = new(nameof(TelemetryFixture));

    [Fact]
    public async Task The_span_is_the_leaders_child_and_the_works_current_one()
    {
        Activity? seen = null;
        var context = new AsyncLocal<int> { Value = 7 };
        using var request = s_source.StartActivity("request")!;
        request.SetBaggage("user", "alice");
        await Singleflight.ExecuteAsync("a", _ =>
        {
            Assert.Equal(0, context.Value);
            seen = Activity.Current;
            Assert.Null(seen?.GetBaggageItem("user"));
            return ValueTask.FromResult(1);
        });
        Assert.Same(request, Activity.Current);
        var span = Spans.Single(span => Name.Equals(span.GetTagItem("singleflight.name")));
        Assert.Same(seen, span);
        Assert.Equal(request.SpanId, span.ParentSpanId);
    }
}
