namespace RequestCoalescing;

/// <summary>What the work sees of its leader's <see cref="ExecutionContext"/> (async locals, the current activity and culture).</summary>
/// <remarks>Of the leader's <see cref="SynchronizationContext"/> it sees nothing in either case: a flight belongs to no caller.</remarks>
public enum ContextFlow
{
    /// <summary>All of it, whether or not the leader passed a token.</summary>
    Leader,

    /// <summary>None of it: the same for whoever leads.</summary>
    Suppress,
}
