namespace RequestCoalescing;

/// <summary>What becomes of a leader's work when its lease is lost: to a pause, an outage, or a <c>Forget</c> on another node.</summary>
public enum LostLeaseBehavior
{
    /// <summary>It goes on for the callers of its own node. Its outcome is not published.</summary>
    GoOn,

    /// <summary>The flight's token fires. What the work then ends with is what the callers of its node get.</summary>
    Cancel,
}
