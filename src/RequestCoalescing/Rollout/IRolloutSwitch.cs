namespace RequestCoalescing;

/// <summary>Turns coalescing on and off from outside of the settings: by a feature flag, say.</summary>
public interface IRolloutSwitch
{
    /// <summary>
    /// Whether calls are to be coalesced now. Asked for each call, before its key is looked at; must be quick, and safe to ask from
    /// any number of threads at once. If it fails, the failure is logged and calls are coalesced as the settings say.
    /// </summary>
    /// <param name="cancellationToken">The caller's token.</param>
    ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken);
}
