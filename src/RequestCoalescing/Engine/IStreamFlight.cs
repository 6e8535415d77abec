namespace RequestCoalescing.Engine;

/// <summary>A flight whose subscribers read a stream while its work goes on. The stream decides how long it lasts, and how long it can be joined.</summary>
internal interface IStreamFlight
{
    /// <summary>The clock of the engine.</summary>
    TimeProvider Clock { get; }

    /// <summary>Whether callers that come now would join the flight.</summary>
    bool IsJoinable { get; }

    /// <summary>Returns the lineage of the flight's stream. A flight whose leader is elected takes it over from the flight before.</summary>
    /// <param name="create">Creates it for the first caller that asks.</param>
    /// <remarks>The callers keep it alive. The flight does not.</remarks>
    object GetStreamLineage(Func<object> create);

    /// <summary>The first item has come: the flight does not expire any more on its own.</summary>
    void StartStreaming();

    /// <summary>Lets callers that come from now on start a new flight.</summary>
    void CloseToJoiners();

    /// <summary>Expires the flight now, because its source has been silent for too long.</summary>
    /// <param name="maxIdle">The duration that was exceeded.</param>
    void ExpireIdle(TimeSpan maxIdle);
}
