namespace RequestCoalescing.Benchmarks.Quick;

/// <summary>What one operation took.</summary>
public readonly record struct QuickResult(double Nanoseconds, double Bytes);
