using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Caching;

internal static partial class Log
{
    [LoggerMessage(200, LogLevel.Warning, "{Instance}: the result of a load could not be stored in the cache. The callers have it.")]
    public static partial void NotStored(ILogger logger, string instance, Exception error);

    [LoggerMessage(202, LogLevel.Warning, "{Instance}: the expired value of a key could not be read from the cache. The caller gets the outcome of its load.")]
    public static partial void StaleNotRead(ILogger logger, string instance, Exception error);

    [LoggerMessage(203, LogLevel.Warning, "{Instance}: the tags of a load could not be noted in the cluster. A removal by tag on another node may not reach the load.")]
    public static partial void NotTagged(ILogger logger, string instance, Exception error);

    [LoggerMessage(201, LogLevel.Warning, "{Instance}: an early refresh has failed. The entry stays until it expires.")]
    public static partial void RefreshFailed(ILogger logger, string instance, Exception error);
}
