namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>The medians of a scenario, in the order of the peers.</summary>
public sealed record QuickRow(
    string Name,
    double Budget,
    double? BytesBudget,
    IReadOnlyList<QuickResult> Results,
    double Ratio,
    string Verdict);
