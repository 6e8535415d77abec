namespace RequestCoalescing.Telemetry;

/// <summary>An instance as it was at one look.</summary>
internal sealed record InstanceReading(string Name, SingleflightStats Stats, TimeSpan MaxDuration);
