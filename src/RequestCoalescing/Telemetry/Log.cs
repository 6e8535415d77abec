using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Telemetry;

/// <summary>What is logged. The event ids are part of the contract: alerts and filters may name them.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Debug, "{Instance}: a flight for key {Key} has started")]
    public static partial void FlightStarted(ILogger logger, string instance, string key);

    [LoggerMessage(2, LogLevel.Debug, "{Instance}: the flight for key {Key} has ended with {Outcome} after {ElapsedMilliseconds} ms and had {Subscribers} subscribers")]
    public static partial void FlightLanded(ILogger logger, string instance, string key, string outcome, double elapsedMilliseconds, int subscribers);

    [LoggerMessage(3, LogLevel.Warning, "{Instance}: the work for key {Key} failed with {ErrorType} after {ElapsedMilliseconds} ms; {Subscribers} subscribers got that error")]
    public static partial void FlightFailed(ILogger logger, Exception? exception, string instance, string key, string? errorType, double elapsedMilliseconds, int subscribers);

    [LoggerMessage(4, LogLevel.Warning, "{Instance}: the flight for key {Key} has {Subscribers} subscribers, which is more than {Threshold}")]
    public static partial void SubscriberThresholdExceeded(ILogger logger, string instance, string key, int subscribers, int threshold);

    [LoggerMessage(5, LogLevel.Warning, "{Instance}: the work for key {Key} exceeded its maximum duration; {Subscribers} subscribers got a timeout after {ElapsedMilliseconds} ms")]
    public static partial void MaxDurationExceeded(ILogger logger, string instance, string key, int subscribers, double elapsedMilliseconds);

    [LoggerMessage(6, LogLevel.Warning, "{Instance}: the work for key {Key} is abandoned: its maximum duration is over, it still runs, and no caller waits for it")]
    public static partial void WorkAbandoned(ILogger logger, string instance, string key);

    [LoggerMessage(7, LogLevel.Information, "{Instance}: the abandoned work for key {Key} has ended after {ElapsedMilliseconds} ms")]
    public static partial void AbandonedWorkEnded(ILogger logger, string instance, string key, double elapsedMilliseconds);

    [LoggerMessage(8, LogLevel.Error, "{Instance}: a follower for key {Key} got a result ({ResultType}) that differs from the one its own work makes. Does the key lack a parameter, or the viewer?")]
    public static partial void VerificationMismatch(ILogger logger, string instance, string key, string resultType);

    [LoggerMessage(9, LogLevel.Error, "{Instance}: the reloaded settings are invalid and were ignored: {Reason}")]
    public static partial void ReloadRejected(ILogger logger, string instance, string reason);

    [LoggerMessage(10, LogLevel.Error, "{Instance}: the rollout switch failed; the settings alone decide whether calls are coalesced")]
    public static partial void SwitchFailed(ILogger logger, Exception exception, string instance);

    [LoggerMessage(11, LogLevel.Error, "{Instance}: the comparer or the mismatch handler of the verification failed")]
    public static partial void MismatchHandlerFailed(ILogger logger, Exception exception, string instance);

    [LoggerMessage(12, LogLevel.Warning, "{Instance}: the shutdown deadline has passed; {InFlight} flights are cancelled")]
    public static partial void DrainDeadline(ILogger logger, string instance, int inFlight);

    [LoggerMessage(13, LogLevel.Information, "{Instance}: started with keys of type {KeyType} and these settings: {Settings}")]
    public static partial void Started(ILogger logger, string instance, Type keyType, string settings);

    [LoggerMessage(14, LogLevel.Warning, "{Instance}: results of type {ResultType} cannot be verified, because two objects of type {OpaqueType} cannot be compared. Set VerificationOptions.Comparer, or override Equals. This is logged once for each type")]
    public static partial void NotVerifiable(ILogger logger, string instance, Type resultType, Type opaqueType);

    [LoggerMessage(16, LogLevel.Warning, "{Instance}: calls with keys of type {KeyType} are never coalesced, because two keys are never equal: {PartType} has no value equality. Use a string, a tuple or a record as the key, or override Equals and GetHashCode. This is logged once for each type")]
    public static partial void KeyWithoutEquality(ILogger logger, string instance, Type keyType, Type partType);

    [LoggerMessage(17, LogLevel.Error, "{Instance}: a result of type {ResultType} has changed after its flight, and all callers of the flight share it. The keys are of type {KeyType}. Return an immutable type, or let each caller copy the result. This is logged once for each type")]
    public static partial void ResultMutated(ILogger logger, string instance, Type resultType, Type keyType);

    [LoggerMessage(15, LogLevel.Error, "{Instance}: keys of type {KeyType} have no text, which the rollout needs in order to choose a fraction of them; their calls run alone. Override ToString, or register the instance with WithKeyText. This is logged once for each type")]
    public static partial void KeyWithoutText(ILogger logger, Exception? exception, string instance, Type keyType);
}
