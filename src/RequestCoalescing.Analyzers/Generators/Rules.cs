using System.Reflection;
using Microsoft.CodeAnalysis;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>The rules for declarations that code is generated for.</summary>
internal static class Rules
{
    public static readonly DiagnosticDescriptor KeyDeclaration = Error(101, "The declaration of a key", "No text can be generated for the key '{0}': {1}");
    public static readonly DiagnosticDescriptor PartType = Error(102, "A part of a key without a text", "'{0}' of type '{1}' cannot be a part of a key. {2}");
    public static readonly DiagnosticDescriptor KeyMember = Error(103, "A member of a key that its text lacks", "The key '{0}' {1}");
    public static readonly DiagnosticDescriptor Name = Error(104, "The name of a key", "'{0}' cannot be the name of a key. Use letters, digits, and the characters . - _ : /");
    public static readonly DiagnosticDescriptor MethodDeclaration = Error(105, "The declaration of a coalesced method", "The method '{0}' cannot be coalesced: {1}");
    public static readonly DiagnosticDescriptor ReturnType = Error(106, "The return type of a coalesced method", "The method '{0}' returns '{1}'. A coalesced method returns Task, Task<T>, ValueTask or ValueTask<T>.");
    public static readonly DiagnosticDescriptor ReadOnce = Error(107, "A result that can be read only once", "All callers of '{0}' would share one '{1}', which only one of them can read. Return its content instead.");
    public static readonly DiagnosticDescriptor Disposable = Error(108, "A disposable result", "All callers of '{0}' share one '{1}'. If one of them disposes it, the others lose it. Return its content instead.", DiagnosticSeverity.Warning);
    public static readonly DiagnosticDescriptor ByReference = Error(109, "A parameter by reference", "The parameter '{0}' of '{1}' is passed by reference. The work of a flight outlives the call, so that it can take values only.");
    public static readonly DiagnosticDescriptor TwoTokens = Error(110, "Two tokens", "The method '{0}' has more than one CancellationToken. One token lets the caller leave; the work gets that of the flight.");
    public static readonly DiagnosticDescriptor NoCore = Error(111, "The work of a coalesced method", "The method '{0}' has no work to coalesce. Write it as: {1}");
    public static readonly DiagnosticDescriptor NoReason = Error(112, "A parameter that is left out of the key without a reason", "Say in [NotInKey(\"…\")] why the result of '{1}' does not depend on '{0}', or remove the attribute");
    public static readonly DiagnosticDescriptor Engine = Error(113, "The engine of a coalesced method", "'{0}' cannot be the engine of '{1}': {2}");
    public static readonly DiagnosticDescriptor SharedKey = Error(114, "Two methods with the same keys", "'{0}' and another coalesced method {1}, so that they would share their results");
    public static readonly DiagnosticDescriptor InterfaceDeclaration = Error(115, "The declaration of a coalesced interface", "No class can be generated for the interface '{0}': {1}");

    public static readonly DiagnosticDescriptor[] All =
    [
        KeyDeclaration, PartType, KeyMember, Name, MethodDeclaration, ReturnType, ReadOnce, Disposable, ByReference, TwoTokens, NoCore, NoReason, Engine, SharedKey, InterfaceDeclaration,
    ];

    private static string Repository => typeof(Rules).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(metadata => metadata.Key == "RepositoryUrl")?.Value ?? "";

    private static DiagnosticDescriptor Error(int number, string title, string message, DiagnosticSeverity severity = DiagnosticSeverity.Error) =>
        new($"RC{number}", title, message, "RequestCoalescing", severity, isEnabledByDefault: true, helpLinkUri: $"{Repository}/blob/main/docs/rules/RC{number}.md");
}
