namespace RequestCoalescing.Engine;

/// <summary>A flight whose subscribers read a stream while its work goes on. The stream decides how long it lasts, and how long it can be joined.</summary>
internal interface IStreamFlight
{
    /// <summary>The clock of the engine.</summary>
    TimeProvider Clock { get; }

    /// <summary>Whether callers that come now would join the flight.</summary>
    bool IsJoinable { get; }

    /// <summary>Whether one of the subscribers has joined with this token.</summary>
    /// <param name="cancellationToken">A token that no other caller has.</param>
    bool HasSubscriber(CancellationToken cancellationToken);

    /// <summary>The first item has come: the flight does not expire any more on its own.</summary>
    void StartStreaming();

    /// <summary>Lets callers that come from now on start a new flight.</summary>
    void CloseToJoiners();

    /// <summary>Expires the flight now, because its source has been silent for too long.</summary>
    /// <param name="maxIdle">The duration that was exceeded.</param>
    void ExpireIdle(TimeSpan maxIdle);
}
