namespace RequestCoalescing;

/// <summary>Whether the work runs in its leader's <see cref="ExecutionContext"/>: async locals, the current activity, the culture.</summary>
/// <remarks>The work never runs in the leader's <see cref="SynchronizationContext"/> or <see cref="TaskScheduler"/>.</remarks>
public enum ContextFlow
{
    /// <summary>The work runs in the leader's context, whether or not the leader passed a token.</summary>
    Leader,

    /// <summary>The work runs in an empty context.</summary>
    Suppress,
}
