namespace RequestCoalescing;

/// <summary>The current settings of an instance.</summary>
public sealed class SingleflightSettings
{
    internal SingleflightSettings(TimeSpan maxDuration, TimeSpan joinWindow, int maxInFlight, int maxSubscribers, OverflowBehavior overflow) =>
        (MaxDuration, JoinWindow, MaxInFlight, MaxSubscribers, Overflow) = (maxDuration, joinWindow, maxInFlight, maxSubscribers, overflow);

    /// <summary>As <see cref="SingleflightOptions.MaxDuration"/>.</summary>
    public TimeSpan MaxDuration { get; }

    /// <summary>As <see cref="SingleflightOptions.JoinWindow"/>.</summary>
    public TimeSpan JoinWindow { get; }

    /// <summary>As <see cref="SingleflightOptions.MaxInFlight"/>.</summary>
    public int MaxInFlight { get; }

    /// <summary>As <see cref="SingleflightOptions.MaxSubscribers"/>.</summary>
    public int MaxSubscribers { get; }

    /// <summary>As <see cref="SingleflightOptions.Overflow"/>.</summary>
    public OverflowBehavior Overflow { get; }

    /// <summary>As <see cref="RolloutOptions.Enabled"/>; true for an engine that is created by hand.</summary>
    public bool IsEnabled { get; internal init; } = true;

    /// <summary>As <see cref="RolloutOptions.Mode"/>; <see cref="RolloutMode.Coalesce"/> for an engine that is created by hand.</summary>
    public RolloutMode Mode { get; internal init; }

    /// <summary>As <see cref="RolloutOptions.Fraction"/>; 1 for an engine that is created by hand.</summary>
    public double RolloutFraction { get; internal init; } = 1;

    /// <summary>Whether an <see cref="IRolloutSwitch"/> is registered, which every call asks.</summary>
    public bool HasSwitch { get; internal init; }

    /// <summary>As <see cref="VerificationOptions.Fraction"/>; 0 for an engine that is created by hand.</summary>
    public double VerificationFraction { get; internal init; }
}
