namespace RequestCoalescing.Http.Tests.Ports;

/// <summary>What becomes of two requests that are in the air at once.</summary>
public enum Outcome
{
    /// <summary>Both get the same response.</summary>
    Shared,

    /// <summary>Each gets a response of its own.</summary>
    Apart,

    /// <summary>The second one gets a 304 that is made from the response of the first one.</summary>
    NotModified,
}
