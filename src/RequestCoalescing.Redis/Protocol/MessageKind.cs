namespace RequestCoalescing.Redis.Protocol;

/// <summary>The event that a message reports. The letters are those of <see cref="Scripts"/>.</summary>
internal enum MessageKind : byte
{
    /// <summary>The flight has landed. The outcome can be read.</summary>
    Landed = (byte)'L',

    /// <summary>The flight has landed. The outcome is in the message.</summary>
    LandedWithOutcome = (byte)'O',

    /// <summary>The leader gave its lease up.</summary>
    Abandoned = (byte)'A',

    /// <summary>The key was forgotten.</summary>
    Forgotten = (byte)'F',

    /// <summary>A node sends this to itself, to find out whether its subscription works.</summary>
    Echo = (byte)'E',
}
