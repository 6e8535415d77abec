namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>A scenario's medians, in the order of the peers.</summary>
public sealed record QuickRow(
    string Name,
    string Budget,
    double? BytesBudget,
    IReadOnlyList<QuickResult> Results,
    double Ratio,
    string Verdict);
