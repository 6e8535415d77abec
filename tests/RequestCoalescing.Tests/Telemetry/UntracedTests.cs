using System.Diagnostics;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>If nothing listens to the library's spans, work that runs without the leader's context sees no span at all.</summary>
[Collection(nameof(UntracedTests))]
[CollectionDefinition(nameof(UntracedTests), DisableParallelization = true)]
public sealed class UntracedTests() : TelemetryFixture(options: options => options.ContextFlow = ContextFlow.Suppress)
{
    [Fact]
    public async Task The_work_does_not_see_the_leaders_span()
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
