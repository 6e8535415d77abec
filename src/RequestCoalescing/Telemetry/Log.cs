using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Telemetry;

/// <summary>What is logged. The event ids are part of the contract: alerts and filters may name them.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Debug, "Flight of {Instance} started for key {Key}")]
    public static partial void FlightStarted(ILogger logger, string instance, string key);

    [LoggerMessage(2, LogLevel.Debug, "Flight of {Instance} for key {Key} landed: {Outcome} after {ElapsedMilliseconds} ms with {Subscribers} subscribers")]
    public static partial void FlightLanded(ILogger logger, string instance, string key, string outcome, double elapsedMilliseconds, int subscribers);

    [LoggerMessage(3, LogLevel.Warning, "Flight of {Instance} for key {Key} failed with {ErrorType} after {ElapsedMilliseconds} ms, with {Subscribers} subscribers")]
    public static partial void FlightFailed(ILogger logger, Exception? exception, string instance, string key, string? errorType, double elapsedMilliseconds, int subscribers);

    [LoggerMessage(4, LogLevel.Warning, "Flight of {Instance} for key {Key} has {Subscribers} subscribers, more than {Threshold}")]
    public static partial void SubscriberThresholdExceeded(ILogger logger, string instance, string key, int subscribers, int threshold);

    [LoggerMessage(5, LogLevel.Warning, "Flight of {Instance} for key {Key} exceeded its maximum duration; {Subscribers} subscribers got a timeout after {ElapsedMilliseconds} ms")]
    public static partial void MaxDurationExceeded(ILogger logger, string instance, string key, int subscribers, double elapsedMilliseconds);

    [LoggerMessage(6, LogLevel.Warning, "Work of {Instance} for key {Key} is abandoned: it goes on after its maximum duration, for nobody")]
    public static partial void WorkAbandoned(ILogger logger, string instance, string key);

    [LoggerMessage(7, LogLevel.Information, "Abandoned work of {Instance} for key {Key} has ended after {ElapsedMilliseconds} ms")]
    public static partial void AbandonedWorkEnded(ILogger logger, string instance, string key, double elapsedMilliseconds);

    [LoggerMessage(8, LogLevel.Error, "A follower of {Instance} for key {Key} got another result ({ResultType}) than its own work makes: does the key lack a parameter, or who asks?")]
    public static partial void VerificationMismatch(ILogger logger, string instance, string key, string resultType);

    [LoggerMessage(9, LogLevel.Error, "Reloaded settings of {Instance} are invalid and were not taken over: {Reason}")]
    public static partial void ReloadRejected(ILogger logger, string instance, string reason);

    [LoggerMessage(10, LogLevel.Error, "The rollout switch of {Instance} failed; {Instance} coalesces as its settings say")]
    public static partial void SwitchFailed(ILogger logger, Exception exception, string instance);

    [LoggerMessage(11, LogLevel.Error, "The comparer or the mismatch handler of the verification of {Instance} failed")]
    public static partial void MismatchHandlerFailed(ILogger logger, Exception exception, string instance);

    [LoggerMessage(12, LogLevel.Warning, "{Instance} is drained no further at the shutdown deadline: {InFlight} flights are cancelled")]
    public static partial void DrainDeadline(ILogger logger, string instance, int inFlight);

    [LoggerMessage(13, LogLevel.Information, "{Instance} has started, with keys of type {KeyType} and these settings: {Settings}")]
    public static partial void Started(ILogger logger, string instance, Type keyType, string settings);

    [LoggerMessage(14, LogLevel.Warning, "Results of {ResultType} of {Instance} cannot be verified, as nobody can tell whether two of {OpaqueType} are the same: set VerificationOptions.Comparer, or override Equals. Said once for a type of results")]
    public static partial void NotVerifiable(ILogger logger, string instance, Type resultType, Type opaqueType);

    [LoggerMessage(16, LogLevel.Warning, "Keys of type {KeyType} of {Instance} are equal to nothing but themselves, so that their calls are not coalesced: {PartType} has no equality of values. Make the key a string, a tuple or a record of such, or override Equals and GetHashCode. Said once for a type")]
    public static partial void KeyWithoutEquality(ILogger logger, string instance, Type keyType, Type partType);

    [LoggerMessage(15, LogLevel.Error, "Keys of type {KeyType} of {Instance} have no text by which the rollout could tell whether they are in its fraction: their calls run alone. Override ToString, or register the instance with WithKeyText. Said once for a type")]
    public static partial void KeyWithoutText(ILogger logger, Exception? exception, string instance, Type keyType);
}
