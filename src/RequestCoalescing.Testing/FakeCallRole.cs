namespace RequestCoalescing.Testing;

/// <summary>The part that a call has in a flight.</summary>
public enum FakeCallRole
{
    /// <summary>The call is not part of a flight: it was rejected, its token had fired before, or it was misuse.</summary>
    None,

    /// <summary>The flight runs the work of this call.</summary>
    Leader,

    /// <summary>The call has joined a flight that runs the work of another call.</summary>
    Follower,
}
