using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.UnstableKey;

/// <summary>Knows the values that are new each time: moments, random values, and the ids of requests.</summary>
internal static class UnstableValue
{
    /// <summary>A part of such a value, as the day of a moment, is stable for long enough and is left alone.</summary>
    public static bool IsReadBy(IOperation operation) => operation switch
    {
        IPropertyReferenceOperation { Property.ContainingType: var type } property when type.Is("System.Diagnostics", "Activity") => IsIdOfCall(property),
        IPropertyReferenceOperation property => IsUnstable(property.Property),
        IInvocationOperation invocation => IsUnstable(invocation.TargetMethod),
        IObjectCreationOperation creation => creation.Type is { SpecialType: SpecialType.System_Object },
        _ => false,
    };

    /// <summary>Whether an id is that of the current activity. Many calls can ask with the id of another activity, for example with that of their parent.</summary>
    private static bool IsIdOfCall(IPropertyReferenceOperation id)
    {
        if (id.Property.Name is not ("Id" or "SpanId" or "TraceId" or "RootId")) return false;
        var activity = id.Instance is ILocalReferenceOperation { Local: var local } ? id.OnlyValueOf(local) : id.Instance;
        return activity is IPropertyReferenceOperation { Property: { Name: "Current", IsStatic: true } } or IInvocationOperation { TargetMethod.Name: "StartActivity" };
    }

    private static bool IsUnstable(IPropertySymbol property) => property.ContainingType is var type && property.Name switch
    {
        "Now" or "UtcNow" => type.SpecialType == SpecialType.System_DateTime || type.Is("System", "DateTimeOffset"),
        "Ticks" or "ElapsedTicks" or "Elapsed" or "ElapsedMilliseconds" => type.Is("System.Diagnostics", "Stopwatch"),
        "TickCount" or "TickCount64" => type.Is("System", "Environment"),
        "Shared" => type.Is("System", "Random"),
        "TraceIdentifier" => type.DerivesFrom("Microsoft.AspNetCore.Http", "HttpContext"),
        "RequestId" => type.Is("Microsoft.AspNetCore.Http.Features", "IHttpRequestIdentifierFeature"),
        _ => false,
    };

    private static bool IsUnstable(IMethodSymbol method) => method.ContainingType is var type && method.Name switch
    {
        "NewGuid" or "CreateVersion7" => type.Is("System", "Guid"),
        "GetTimestamp" => type.Is("System.Diagnostics", "Stopwatch") || type.DerivesFrom("System", "TimeProvider"),
        "GetUtcNow" or "GetLocalNow" => type.DerivesFrom("System", "TimeProvider"),
        "Next" or "NextInt64" or "NextDouble" or "NextSingle" or "GetHexString" or "GetString" => type.DerivesFrom("System", "Random"),
        "GetBytes" or "GetInt32" => type.DerivesFrom("System.Security.Cryptography", "RandomNumberGenerator"),
        "GetRandomFileName" or "GetTempFileName" => type.Is("System.IO", "Path"),
        _ => false,
    };
}
