namespace RequestCoalescing.Redis.Protocol;

/// <summary>What a message says; the letters are those of <see cref="Scripts"/>.</summary>
internal enum MessageKind : byte
{
    /// <summary>The outcome is there to be read.</summary>
    Landed = (byte)'L',

    /// <summary>The outcome, in the message itself.</summary>
    LandedWithOutcome = (byte)'O',

    /// <summary>The leader gave its lease up.</summary>
    Abandoned = (byte)'A',

    /// <summary>The key was forgotten.</summary>
    Forgotten = (byte)'F',

    /// <summary>A node calls itself, to find out whether it hears.</summary>
    Echo = (byte)'E',
}
