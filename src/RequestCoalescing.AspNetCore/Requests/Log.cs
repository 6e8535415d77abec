using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Requests;

/// <summary>The log messages of the middleware.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 301, Level = LogLevel.Warning, EventName = "ReadOutsideKey", Message = "The endpoint '{Endpoint}' reads {Part}, which is not part of the key of the policy '{Policy}'. It sees none, because its response goes to all callers of the flight. If the response depends on it, add to the policy: {Missing}.")]
    public static partial void ReadOutsideKey(ILogger logger, string? endpoint, string part, string policy, string missing);

    [LoggerMessage(EventId = 302, Level = LogLevel.Error, EventName = "EndpointFailed", Message = "The endpoint '{Endpoint}' failed after its response had started, or when no caller waited for it any more.")]
    public static partial void EndpointFailed(ILogger logger, string? endpoint, Exception error);

    [LoggerMessage(EventId = 303, Level = LogLevel.Error, EventName = "CallbackFailed", Message = "A callback that the endpoint '{Endpoint}' has registered failed.")]
    public static partial void CallbackFailed(ILogger logger, string? endpoint, Exception error);
}
