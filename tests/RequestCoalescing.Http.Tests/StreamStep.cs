namespace RequestCoalescing.Http.Tests;

/// <summary>What an origin or a reader of a shared body does next.</summary>
internal sealed record StreamStep(StreamStepKind Kind, int Reader = 0, int Bytes = 0);
