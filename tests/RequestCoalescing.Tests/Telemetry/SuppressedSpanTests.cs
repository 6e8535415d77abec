using System.Diagnostics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>If the work does not see the leader's context, the flight's span is still a child of the leader's.</summary>
public sealed class SuppressedSpanTests() : TelemetryFixture(traces: true, options: options => options.ContextFlow = ContextFlow.Suppress)
{
    private static readonly ActivitySource s_source = new(nameof(TelemetryFixture));

    [Fact]
    public async Task The_span_is_a_child_of_the_leaders_and_is_current_in_the_work()
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
