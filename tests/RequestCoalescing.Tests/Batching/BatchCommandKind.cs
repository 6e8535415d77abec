namespace RequestCoalescing.Tests.Batching;

/// <summary>The commands of the model of a batch loader.</summary>
internal enum BatchCommandKind
{
    Load,
    Leave,
    Wait,
    Forget,
    Succeed,
    Fail,
}
