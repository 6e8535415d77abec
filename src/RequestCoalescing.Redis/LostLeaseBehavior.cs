namespace RequestCoalescing;

/// <summary>The fate of a leader's work when its lease is lost: through a pause, an outage, or a <c>Forget</c> on another node.</summary>
public enum LostLeaseBehavior
{
    /// <summary>The work continues for the callers of its own node. Its outcome is not published.</summary>
    GoOn,

    /// <summary>The work's token fires. The callers of its node get the outcome with which the work then ends.</summary>
    Cancel,
}
