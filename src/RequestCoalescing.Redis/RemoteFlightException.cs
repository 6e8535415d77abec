namespace RequestCoalescing;

/// <summary>Thrown when another node ran the work, and the work failed. The callers of that node get the original exception.</summary>
public sealed class RemoteFlightException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="remoteType">The full name of the error's type.</param>
    /// <param name="remoteMessage">The error's message.</param>
    /// <param name="remoteStackTrace">The error's stack trace, if it was sent.</param>
    public RemoteFlightException(string remoteType, string remoteMessage, string? remoteStackTrace)
        : base($"The work ran on another node and failed with {remoteType}: {remoteMessage}") =>
        (RemoteType, RemoteMessage, RemoteStackTrace) = (remoteType, remoteMessage, remoteStackTrace);

    /// <summary>The full name of the error's type.</summary>
    public string RemoteType { get; }

    /// <summary>The error's message.</summary>
    public string RemoteMessage { get; }

    /// <summary>The error's stack trace; null unless <see cref="RedisSingleflightOptions.SendStackTraces"/> is set on the leading node.</summary>
    public string? RemoteStackTrace { get; }
}
