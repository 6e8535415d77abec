using System.Reflection;
using Microsoft.CodeAnalysis;

namespace RequestCoalescing.Analyzers;

/// <summary>All rules. A rule that speaks of different causes has a descriptor for each.</summary>
internal static class Descriptors
{
    private const string Category = "RequestCoalescing";

    private static readonly string s_docs = typeof(Descriptors).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(metadata => metadata.Key == "Docs")
        .Value!;

    public static readonly DiagnosticDescriptor TokenOfCaller = new(
        "RC001",
        "The work uses the token of a caller",
        "'{0}' is the token of one caller: when that caller leaves, the work is cancelled for all callers; use '{1}', the token of the flight",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC001.md");

    public static readonly DiagnosticDescriptor NoToken = new(
        "RC001",
        "The work uses the token of a caller",
        "'{0}' takes a token and gets none: the work goes on after all callers have left; pass it the token of the flight",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC001.md");

    public static readonly DiagnosticDescriptor KeyLacksInput = new(
        "RC002",
        "The key lacks an input of the work",
        "The work reads '{0}', and the key does not contain it: a caller can get the result for another value of '{0}'",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC002.md");

    public static readonly DiagnosticDescriptor KeyLacksViewer = new(
        "RC003",
        "The key lacks the viewer",
        "The work reads '{0}', and the key does not contain the viewer: a caller can get what only another user may see",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC003.md");

    public static readonly DiagnosticDescriptor CoalescedWrite = new(
        "RC004",
        "A write is coalesced",
        "'{0}' writes: the second of two coalesced writes does not happen",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC004.md");

    public static readonly DiagnosticDescriptor CoalescedWriteThrough = new(
        "RC004",
        "A write is coalesced",
        "'{0}' writes by '{1}': the second of two coalesced writes does not happen",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC004.md");

    public static readonly DiagnosticDescriptor ServiceOfRequest = new(
        "RC005",
        "The work uses a service that ends with a request",
        "'{0}' ends with the request of one caller, and the work may outlive that request; use a service of the flight's own scope",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC005.md");

    public static readonly DiagnosticDescriptor AwaitedTwice = new(
        "RC006",
        "A ValueTask of a call is used more than once",
        "The ValueTask of '{0}' is used a second time, which throws an InvalidOperationException; await it once, or call AsTask()",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC006.md");

    public static readonly DiagnosticDescriptor ValueTaskKept = new(
        "RC006",
        "A ValueTask of a call is used more than once",
        "The ValueTask of '{0}' is kept where it can be awaited a second time, which throws an InvalidOperationException; keep the result of AsTask()",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC006.md");

    public static readonly DiagnosticDescriptor ValueTaskBlockedOn = new(
        "RC006",
        "A ValueTask of a call is used more than once",
        "The ValueTask of '{0}' is read before it is known to be complete, which throws an InvalidOperationException; await it, or call AsTask()",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC006.md");

    public static readonly DiagnosticDescriptor ResultIsDisposable = new(
        "RC007",
        "The shared result is disposable",
        "All callers share one '{0}', and the first of them that disposes it takes it away from the others",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC007.md");

    public static readonly DiagnosticDescriptor ResultIsChanged = new(
        "RC008",
        "The shared result is changed",
        "All callers share one '{0}', and this caller changes it for the others",
        Category,
        DiagnosticSeverity.Info,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC008.md");

    public static readonly DiagnosticDescriptor UnstableKey = new(
        "RC009",
        "The key has an unstable part",
        "'{0}' differs from call to call: no two keys are equal, and nothing is coalesced",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC009.md");

    public static readonly DiagnosticDescriptor KeyWithoutEquality = new(
        "RC009",
        "The key has an unstable part",
        "'{0}' is compared by reference: no two keys are equal, and nothing is coalesced; use a string, a number, a tuple or a record",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC009.md");

    public static readonly DiagnosticDescriptor FloatingKey = new(
        "RC009",
        "The key has an unstable part",
        "'{0}' is a floating-point number: values that look equal can differ; use a decimal or a rounded integer",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC009.md");

    public static readonly DiagnosticDescriptor EngineOfRequest = new(
        "RC010",
        "An engine is created for one call or request",
        "This '{0}' serves one {1}, so that it has nothing to coalesce; keep it in a static field, or register it as a singleton",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC010.md");

    public static readonly DiagnosticDescriptor CacheWrittenBlindly = new(
        "RC011",
        "The work fills a cache without asking whether its flight is current",
        "'{0}' can store outdated data: the flight may have been forgotten since it read them; store only if 'IsCurrent' is true",
        Category,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC011.md");

    public static readonly DiagnosticDescriptor ConcatenatedKey = new(
        "RC012",
        "The key is a concatenated string",
        "The parts of this key can collide: different values can make the same text; use a tuple",
        Category,
        DiagnosticSeverity.Info,
        isEnabledByDefault: true,
        helpLinkUri: s_docs + "/rules/RC012.md");
}
