namespace RequestCoalescing;

/// <summary>The names under which the library's telemetry is subscribed to.</summary>
public static class SingleflightTelemetry
{
    /// <summary>The name of the <see cref="System.Diagnostics.Metrics.Meter"/>.</summary>
    public const string MeterName = "RequestCoalescing";

    /// <summary>The name of the <see cref="System.Diagnostics.ActivitySource"/>.</summary>
    public const string ActivitySourceName = "RequestCoalescing";
}
