namespace RequestCoalescing.Redis.Payloads;

/// <summary>An error as it crosses from node to node.</summary>
internal sealed record ErrorEnvelope(string Type, string Message, string? StackTrace);
