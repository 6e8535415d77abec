namespace RequestCoalescing.Engine;

/// <summary>A caller that needs to know which flight it has joined. It belongs to the flow of its call, so that no decorator has to pass it on.</summary>
internal abstract class FlightObserver
{
    private static readonly AsyncLocal<FlightObserver?> s_current = new();

    /// <summary>The observer of the calls that this flow makes. Null for none.</summary>
    public static FlightObserver? Current
    {
        get => s_current.Value;
        set => s_current.Value = value;
    }
}

/// <summary>An observer of flights with one type of result, so that a call that a decorator makes for its own needs does not count.</summary>
internal abstract class FlightObserver<TResult> : FlightObserver
{
    /// <summary>Returns the lineage of a flight's stream, before the call joins the flight. A later flight that its subscribers elect has the same one.</summary>
    public abstract object LineageOf(IStreamFlight flight);

    /// <summary>The call has joined the flight. Outside the gate.</summary>
    /// <param name="lineage">The lineage of the flight's stream.</param>
    public abstract void OnJoined(object lineage);
}
