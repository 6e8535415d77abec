using RequestCoalescing.Benchmarks.Chaos;

namespace RequestCoalescing.Proxy.Tests;

/// <summary>A short chaos campaign. What it checks holds whatever the timing. <c>--chaos</c> of the benchmarks runs it for minutes.</summary>
public sealed class ChaosTests
{
    private static readonly string[] s_outcomes = ["whole", "whole, shared", "502", "broken off", "left"];

    [Fact]
    public async Task Random_clients_and_a_hostile_origin_break_no_promise_of_the_proxy()
    {
        var output = new StringWriter();
        var ledger = await ChaosRun.RunAsync(IsOver, clients: 60, seed: Environment.TickCount, output);
        TestContext.Current.TestOutputHelper?.WriteLine(output.ToString());
        Assert.True(ledger.Violations.Count == 0, output.ToString());
        Assert.All(s_outcomes, outcome => Assert.True(ledger[outcome] > 0, $"No request had the outcome '{outcome}'. {output}"));
    }

    // When all has happened, and often enough. On a busy machine, that takes longer.
    private static bool IsOver(TimeSpan elapsed, ChaosLedger ledger) =>
        elapsed > TimeSpan.FromMinutes(2) || (ledger["whole"] > 300 && Array.TrueForAll(s_outcomes, outcome => ledger[outcome] > 10));
}
