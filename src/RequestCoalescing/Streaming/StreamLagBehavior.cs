namespace RequestCoalescing;

/// <summary>What happens to a reader that lags so far behind that the buffer has dropped its next item.</summary>
public enum StreamLagBehavior
{
    /// <summary>The reader gets a <see cref="StreamLagException"/>.</summary>
    Fail,

    /// <summary>
    /// The reader goes on in a new flight, and skips as many items as it has had. Choose it only if each run of the source yields the same items. A reader that
    /// lags for the fourth time gets a <see cref="StreamLagException"/>.
    /// </summary>
    NewFlight,
}
