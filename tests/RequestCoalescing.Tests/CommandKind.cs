namespace RequestCoalescing.Tests;

internal enum CommandKind
{
    Call,
    Cancel,
    Succeed,
    Fail,
    EndCancelled,
    Forget,
    Clear,
    Wait,
}
