namespace RequestCoalescing.Polly;

/// <summary>The arguments of the events that the strategy reports to Polly's telemetry.</summary>
/// <param name="Key">The key of the execution. Null for an event that is reported once for a strategy.</param>
/// <remarks>
/// The events are: SingleflightJoined (information), an execution shared the run of another one; SingleflightWithoutKey (warning, once), an execution had no
/// key and ran alone; SingleflightRepeated (warning, once), a retry or a hedging around the strategy repeated an execution.
/// </remarks>
public readonly record struct SingleflightArguments(string? Key);
