namespace RequestCoalescing.Tests.Batching;

/// <summary>A command for a batch loader. The number is a key, a caller, a batch or a time.</summary>
internal sealed record BatchCommand(BatchCommandKind Kind, int Number, bool Leaves = false);
