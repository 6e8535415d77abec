namespace RequestCoalescing.Http.Tests;

internal enum StreamStepKind
{
    Write,
    End,
    Fail,
    JoinExpected,
    JoinLate,
    Decline,
    Read,
    Leave,
}
