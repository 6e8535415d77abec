using System.Globalization;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Tests.Corpus;

/// <summary>
/// Runs all rules over the code bases in the folders that the variable <c>CORPUS</c> lists, and prints their findings. No part of the test run:
/// <c>CORPUS=/folder/one:/folder/two RequestCoalescing.Analyzers.Tests -explicit only -class "*CorpusRun" -showLiveOutput</c>.
/// </summary>
public sealed class CorpusRun(ITestOutputHelper output)
{
    [Fact(Explicit = true)]
    public async Task All_rules_run_over_real_code()
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("CORPUS") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            var (calls, found) = await new CodeBase(folder, hasTests: Environment.GetEnvironmentVariable("CORPUS_TESTS") is not null).AnalyzeAsync();
            var counts = string.Join(", ", found.GroupBy(finding => finding.Id).OrderBy(rule => rule.Key, StringComparer.Ordinal).Select(rule => $"{rule.Key} {rule.Count()}"));
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"== {Path.GetFileName(folder)}: {calls.Count(call => call == CallKind.Flight)} rewritten calls, {calls.Count(call => call == CallKind.Cache)} calls of IMemoryCache and HybridCache; {counts}"));
            foreach (var finding in found)
            {
                var place = finding.Location.GetLineSpan();
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{finding.Id} {Path.GetRelativePath(folder, place.Path)}:{place.StartLinePosition.Line + 1}: {finding.GetMessage(CultureInfo.InvariantCulture)}"));
            }
        }
    }
}
