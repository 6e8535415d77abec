using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>The delegate of a call, and its body where the source shows it.</summary>
internal sealed class Work
{
    private Work(IOperation value, IMethodSymbol? method, IOperation? body)
    {
        Value = value;
        Method = method;
        Body = body;
    }

    /// <summary>The argument, without conversions.</summary>
    public IOperation Value { get; }

    /// <summary>The lambda, local function or method. Null if the work is a delegate that comes from elsewhere.</summary>
    public IMethodSymbol? Method { get; }

    /// <summary>The statements of <see cref="Method"/>. Null if they are not in this file.</summary>
    public IOperation? Body { get; }

    /// <summary>Whether the body stands inside the method that makes the call, so that it can use its parameters and locals.</summary>
    public bool IsClosure => Method?.MethodKind is MethodKind.AnonymousFunction or MethodKind.LocalFunction;

    /// <summary>The parameter that carries the flight's token. Null if there is none.</summary>
    public IParameterSymbol? Flight => Method?.Parameters.LastOrDefault(parameter => parameter.Type.CarriesFlight());

    /// <summary>The type of the result. Null if the work has none.</summary>
    public ITypeSymbol? Result { get; private set; }

    /// <summary>Whether a parameter or local is declared outside the work.</summary>
    public bool Captures(ISymbol symbol) => Method is not null && !symbol.DeclaringSyntaxReferences.Any(declaration =>
        Method.DeclaringSyntaxReferences.Any(work => work.SyntaxTree == declaration.SyntaxTree && work.Span.Contains(declaration.Span)));

    /// <summary>The operations that bring values into the work: those in the state that the call passes on, and those in its body that read from outside.</summary>
    public IEnumerable<IOperation> ReadsOf(CoalescedCall call)
    {
        var inside = Body is null ? [] : Body.DescendantsAndSelf().Where(operation => operation.Variable() is not { } variable || Captures(variable));
        return (call.State?.DescendantsAndSelf() ?? []).Concat(inside).Where(operation => !operation.IsNamed() && !operation.IsLogged() && !operation.IsOnlyWritten());
    }

    public static Work Of(IOperation argument)
    {
        var value = Target(argument);
        var (method, body) = value switch
        {
            IAnonymousFunctionOperation lambda => (lambda.Symbol, lambda.Body),
            IMethodReferenceOperation reference => (reference.Method, BodyOf(reference)),
            _ => (default(IMethodSymbol), default(IOperation)),
        };
        var type = (argument.Type as INamedTypeSymbol)?.DelegateInvokeMethod?.ReturnType;
        return new(value, method, body) { Result = type.WithoutTask() };
    }

    /// <summary>The function behind a delegate. A local that is set once stands for its value. Unfinished code can set it to itself.</summary>
    private static IOperation Target(IOperation argument, int depth = 0)
    {
        var value = argument.WithoutConversions();
        if (value is IDelegateCreationOperation creation) return Target(creation.Target, depth);
        return value is ILocalReferenceOperation { Local: var local } && depth < 8 && value.OnlyValueOf(local) is { } only ? Target(only, depth + 1) : value;
    }

    private static IOperation? BodyOf(IMethodReferenceOperation reference)
    {
        if (reference.Method.MethodKind == MethodKind.LocalFunction)
        {
            return reference.Root().DescendantsAndSelf().OfType<ILocalFunctionOperation>()
                .FirstOrDefault(function => SymbolEqualityComparer.Default.Equals(function.Symbol, reference.Method.OriginalDefinition))?.Body;
        }

        if (reference.SemanticModel is not { } model) return null;
        var declaration = reference.Method.OriginalDefinition.DeclaringSyntaxReferences
            .FirstOrDefault(candidate => candidate.SyntaxTree == model.SyntaxTree)?.GetSyntax();
        return declaration is MethodDeclarationSyntax && model.GetOperation(declaration) is IMethodBodyBaseOperation body
            ? body.BlockBody ?? body.ExpressionBody
            : null;
    }
}
