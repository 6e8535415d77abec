namespace RequestCoalescing.Tests;

/// <summary>Something done to an engine; the number is a key, a caller, a run or a time.</summary>
internal sealed record Command(CommandKind Kind, int Number, bool Leaves = false);
