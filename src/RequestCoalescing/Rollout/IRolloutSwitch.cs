namespace RequestCoalescing;

/// <summary>Turns coalescing on and off from outside the settings, for example by a feature flag.</summary>
public interface IRolloutSwitch
{
    /// <summary>
    /// Says whether calls are to be coalesced now. It is called for each call, before the key is looked at. It must be quick, and safe to call from
    /// any number of threads at once. If it fails, the failure is logged, and the settings alone decide.
    /// </summary>
    /// <param name="cancellationToken">The caller's token.</param>
    ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken);
}
