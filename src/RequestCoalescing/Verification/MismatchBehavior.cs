namespace RequestCoalescing;

/// <summary>What a follower gets whose own work makes something else than the flight did.</summary>
public enum MismatchBehavior
{
    /// <summary>The flight's outcome, as if nothing had been verified.</summary>
    UseShared,

    /// <summary>The outcome of its own work.</summary>
    UseOwn,
}
