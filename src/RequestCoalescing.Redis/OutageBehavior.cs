namespace RequestCoalescing;

/// <summary>What a node does while Redis cannot be reached, or answers too slowly.</summary>
public enum OutageBehavior
{
    /// <summary>Coalesces its own callers, as if it were alone: at most one run a node.</summary>
    CoalesceLocally,

    /// <summary>Fails the flight with a <see cref="ClusterUnavailableException"/>.</summary>
    Fail,
}
