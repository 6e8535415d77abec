namespace RequestCoalescing;

/// <summary>Which result a follower gets if its own work makes a different one than the flight did.</summary>
public enum MismatchBehavior
{
    /// <summary>The result of the flight.</summary>
    UseShared,

    /// <summary>The result of its own work.</summary>
    UseOwn,
}
