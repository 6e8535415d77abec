namespace RequestCoalescing.Redis.Protocol;

internal enum MessageKind : byte
{
    /// <summary>The outcome is there to be read.</summary>
    Landed = 1,

    /// <summary>The outcome, in the message itself.</summary>
    LandedWithOutcome = 2,

    /// <summary>The leader gave its lease up.</summary>
    Abandoned = 3,

    /// <summary>The key was forgotten.</summary>
    Forgotten = 4,
}
