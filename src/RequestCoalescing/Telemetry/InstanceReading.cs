namespace RequestCoalescing.Telemetry;

/// <summary>The state of an instance at one moment.</summary>
internal sealed record InstanceReading(string Name, SingleflightStats Stats, TimeSpan MaxDuration);
