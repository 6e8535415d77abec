namespace RequestCoalescing;

/// <summary>The behaviour of a node while Redis cannot be reached, or answers too slowly.</summary>
public enum OutageBehavior
{
    /// <summary>The node coalesces its own callers, as if it were alone: the work runs at most once on each node.</summary>
    CoalesceLocally,

    /// <summary>The flight fails with a <see cref="ClusterUnavailableException"/>.</summary>
    Fail,
}
