namespace RequestCoalescing;

/// <summary>Which result a follower gets if its own work returns another one than the flight.</summary>
public enum MismatchBehavior
{
    /// <summary>The result of the flight.</summary>
    UseShared,

    /// <summary>The result of its own work.</summary>
    UseOwn,
}
