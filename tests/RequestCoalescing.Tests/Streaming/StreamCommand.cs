namespace RequestCoalescing.Tests.Streaming;

internal enum StreamCommandKind
{
    Call,
    Next,
    Leave,
    Yield,
    End,
    Fail,
    Forget,
}

/// <summary>One step of a random sequence.</summary>
/// <param name="Kind">The kind of step.</param>
/// <param name="Index">The caller or the run that it concerns. Out of range, it does nothing.</param>
internal sealed record StreamCommand(StreamCommandKind Kind, int Index);
