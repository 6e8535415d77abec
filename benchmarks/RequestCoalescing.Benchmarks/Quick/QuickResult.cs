namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>The cost of one operation.</summary>
public readonly record struct QuickResult(double Nanoseconds, double Bytes);
