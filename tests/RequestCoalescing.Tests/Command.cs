namespace RequestCoalescing.Tests;

/// <summary>A command for an engine. The number is a key, a caller, a run or a time.</summary>
internal sealed record Command(CommandKind Kind, int Number, bool Leaves = false);
