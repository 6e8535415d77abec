namespace RequestCoalescing.Hedging;

/// <summary>A flight that can be joined, and whose leader runs.</summary>
internal sealed class Lead(FlightContext flight)
{
    public bool IsCurrent => flight.IsCurrent;
}
