namespace RequestCoalescing.AspNetCore.Dashboard;

/// <summary>The settings in force. Null means no limit.</summary>
internal sealed record DashboardSettings(
    double MaxDurationMs,
    double? JoinWindowMs,
    int? MaxInFlight,
    int? MaxSubscribers,
    string Overflow,
    bool Enabled,
    string Mode,
    double RolloutFraction,
    bool HasSwitch,
    double VerificationFraction)
{
    public static DashboardSettings Of(SingleflightSettings settings) => new(
        settings.MaxDuration.TotalMilliseconds,
        settings.JoinWindow == Timeout.InfiniteTimeSpan ? null : settings.JoinWindow.TotalMilliseconds,
        LimitOf(settings.MaxInFlight),
        LimitOf(settings.MaxSubscribers),
        settings.Overflow.ToString(),
        settings.IsEnabled,
        settings.Mode.ToString(),
        settings.RolloutFraction,
        settings.HasSwitch,
        settings.VerificationFraction);

    private static int? LimitOf(int limit) => limit == int.MaxValue ? null : limit;
}
