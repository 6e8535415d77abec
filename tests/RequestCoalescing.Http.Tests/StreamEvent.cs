namespace RequestCoalescing.Http.Tests;

/// <summary>What random sequences must reach, so that a test of them says something.</summary>
internal enum StreamEvent
{
    ReadToTheEnd,
    ReadToTheFailure,
    CutOff,
    LeftWithinARead,
    Refused,
    AllHaveLeft,
    OriginWaited,
}
