using System.Diagnostics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>Where nobody listens to the library's spans, the work of a flight without the leader's context sees no span at all.</summary>
[Collection(nameof(UntracedTests))]
[CollectionDefinition(nameof(UntracedTests), DisableParallelization = true)]
public sealed class UntracedTests() : TelemetryFixture(options: options => options.ContextFlow = ContextFlow.Suppress)
{
    [Fact]
    public async Task The_leaders_span_is_kept_from_the_work()
    {
        using var request = new Activity("request").Start();
        await Singleflight.ExecuteAsync("a", static _ =>
        {
            Assert.Null(Activity.Current);
            return ValueTask.FromResult(1);
        });
        Assert.Same(request, Activity.Current);
    }
}
