using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CoalescedWrite;

/// <summary>Finds the writes of a work, also in methods of the same file that it calls.</summary>
internal sealed class WritesOfWork
{
    private const int Depth = 4;

    private readonly HashSet<IMethodSymbol> _open = new(SymbolEqualityComparer.Default);

    /// <summary>Returns the names of the writes, each with the operation of the work that does it or leads to it.</summary>
    public static IReadOnlyList<(IOperation Where, string Name)> Of(CoalescedCall call)
    {
        if (call.Work.Value is IMethodReferenceOperation method && KnownWrites.Of(method) is { } known) return [(method, known)];
        if (call.Work.Body is not { } body) return [];
        var writes = new WritesOfWork().In(body, Depth).FindAll(write => call.IsClosestTo(write.Where));
        return call.Work.IsClosure || writes.Count == 0 ? writes : [(call.Work.Value, writes[0].Name)]; // a method may also be called elsewhere
    }

    private List<(IOperation Where, string Name)> In(IOperation body, int depth)
    {
        var found = new List<(IOperation Where, string Name)>();
        foreach (var operation in body.DescendantsAndSelf())
        {
            if (KnownWrites.Of(operation) is { } name) found.Add((operation, name));
            else if (depth > 0 && Callee(operation) is { } callee && Inside(callee, depth) is { } inner) found.Add((operation, inner));
        }

        // The text of a command and its execution are one write.
        var calls = found.Where(write => write.Where is IInvocationOperation).ToList();
        return calls.Count > 0 ? calls : found;
    }

    private string? Inside((IMethodSymbol Method, IOperation Body) callee, int depth)
    {
        if (!_open.Add(callee.Method)) return null;
        return In(callee.Body, depth - 1) is { Count: > 0 } writes ? writes[0].Name : null;
    }

    /// <summary>The method that an operation calls, if the same file shows it.</summary>
    private static (IMethodSymbol Method, IOperation Body)? Callee(IOperation operation)
    {
        if (operation is not IInvocationOperation { TargetMethod.OriginalDefinition: var method, SemanticModel: { } model } || IsOverridable(method)) return null;
        var syntax = method.DeclaringSyntaxReferences.FirstOrDefault(candidate => candidate.SyntaxTree == model.SyntaxTree)?.GetSyntax();
        return syntax is MethodDeclarationSyntax && model.GetOperation(syntax) is { } body ? (method, body) : null;
    }

    private static bool IsOverridable(IMethodSymbol method) => method.IsAbstract || method.IsVirtual;
}
