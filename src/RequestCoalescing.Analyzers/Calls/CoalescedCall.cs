using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>A call that shares one run of its work with all callers of an equal key, taken apart.</summary>
internal sealed class CoalescedCall
{
    private CoalescedCall(IInvocationOperation invocation, CallKind kind, IArgumentOperation key, IArgumentOperation work)
    {
        Invocation = invocation;
        Kind = kind;
        Key = key.Value;
        KeyType = kind == CallKind.Flight ? key.Parameter!.Type : Key.WithoutConversions().Type;
        Work = Work.Of(work.Value);
    }

    public IInvocationOperation Invocation { get; }

    public CallKind Kind { get; }

    /// <summary>The argument that is the key.</summary>
    public IOperation Key { get; }

    /// <summary>The type by which keys are compared. Null only if the code has errors.</summary>
    public ITypeSymbol? KeyType { get; }

    /// <summary>What runs once for all callers.</summary>
    public Work Work { get; }

    /// <summary>The argument that is passed on to the work, if the overload has one.</summary>
    public IOperation? State { get; private set; }

    /// <summary>The caller's token, if the call passes one.</summary>
    public IOperation? Token { get; private set; }

    /// <summary>The type of the shared result. Null if the work has none.</summary>
    public ITypeSymbol? Result => Work.Result;

    /// <summary>Takes an invocation apart by the shape that all overloads share: the key first, then a state, the work, and the token.</summary>
    public static CoalescedCall? Of(IInvocationOperation invocation, CallKind kind)
    {
        var method = invocation.TargetMethod;
        var first = method.IsExtensionMethod && invocation.Instance is null ? 1 : 0;
        var (key, state, work, token) = (default(IArgumentOperation), default(IArgumentOperation), default(IArgumentOperation), default(IArgumentOperation));
        foreach (var argument in invocation.Arguments)
        {
            if (argument.Parameter is not { } parameter || parameter.Ordinal < first) continue;
            if (parameter.Ordinal == first) key = argument;
            else if (parameter.Type.TypeKind == TypeKind.Delegate) work ??= argument;
            else if (parameter.Type.IsCancellationToken()) token = argument;
            else if (parameter.OriginalDefinition.Type.TypeKind == TypeKind.TypeParameter) state = argument;
        }

        if (key is null || work is null) return null;
        return new(invocation, kind, key, work)
        {
            State = state?.Value,
            Token = token is { ArgumentKind: ArgumentKind.Explicit } ? token.Value : null,
        };
    }
}
