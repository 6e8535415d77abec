namespace RequestCoalescing;

/// <summary>
/// Options of <c>WithAdaptiveMaxDuration</c>. The settings are in <c>Singleflight[:name]:AdaptiveMaxDuration</c>, and follow reloads. The ceiling is
/// <see cref="SingleflightOptions.MaxDuration"/> of the instance.
/// </summary>
public sealed class AdaptiveMaxDurationOptions
{
    /// <summary>
    /// The maximum duration is this many times the 99th percentile of the flights in <see cref="Window"/>. Default: 3. Range: 2 to 100.
    /// </summary>
    public double Factor { get; set; } = 3;

    /// <summary>The shortest maximum duration, however fast the flights are, unless the ceiling is below it. Default: 1 second. Range: 1 millisecond to 24 days.</summary>
    public TimeSpan Floor { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How far back flights count. The maximum duration changes at most ten times in this time. Default: 5 minutes. Range: 1 second to 1 day.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>With fewer flights than this in <see cref="Window"/>, the ceiling applies. Default: 100. Range: 1 and up.</summary>
    public int MinimumFlights { get; set; } = 100;

    internal void Validate()
    {
        if (Factor is not (>= 2 and <= 100)) throw new ArgumentOutOfRangeException(nameof(Factor), Factor, "It must be from 2 to 100.");
        ThrowIfOutside(Floor, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(24), nameof(Floor));
        ThrowIfOutside(Window, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(Window));
        ArgumentOutOfRangeException.ThrowIfLessThan(MinimumFlights, 1, nameof(MinimumFlights));
    }

    private static void ThrowIfOutside(TimeSpan value, TimeSpan least, TimeSpan most, string name)
    {
        if (value < least || value > most) throw new ArgumentOutOfRangeException(name, value, $"It must be from {least:c} to {most:c}.");
    }
}
