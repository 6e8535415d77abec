using RequestCoalescing.Benchmarks.Chaos;

namespace RequestCoalescing.Proxy.Tests;

/// <summary>A few seconds of the chaos campaign. What it checks holds whatever the timing. <c>--chaos</c> of the benchmarks runs it for minutes.</summary>
public sealed class ChaosTests
{
    [Fact]
    public async Task Random_clients_and_a_hostile_origin_break_no_promise_of_the_proxy()
    {
        var output = new StringWriter();
        var ledger = await ChaosRun.RunAsync(TimeSpan.FromSeconds(5), clients: 60, seed: Environment.TickCount, output);
        TestContext.Current.TestOutputHelper?.WriteLine(output.ToString());
        Assert.True(ledger.Violations.Count == 0, output.ToString());
        Assert.All(new[] { "whole", "whole, shared", "502", "broken off", "left" }, outcome => Assert.True(ledger[outcome] > 0, $"No request had the outcome '{outcome}'. {output}"));
    }
}
