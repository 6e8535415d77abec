using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace RequestCoalescing.Analyzers.Calls;

/// <summary>A call that shares one run of its work with all callers of an equal key, taken apart.</summary>
internal sealed class CoalescedCall
{
    private readonly Func<IInvocationOperation, CoalescedCall?> _find;

    private CoalescedCall(
        IInvocationOperation invocation,
        CallKind kind,
        IArgumentOperation key,
        IArgumentOperation work,
        Func<IInvocationOperation, CoalescedCall?> find)
    {
        _find = find;
        Invocation = invocation;
        Kind = kind;
        Key = key.Value;
        KeyType = kind == CallKind.Flight ? key.Parameter!.Type : Key.WithoutConversions().Type;
        Work = Work.Of(work.Value);
    }

    public IInvocationOperation Invocation { get; }

    public CallKind Kind { get; }

    /// <summary>The engine or cache that the call goes to.</summary>
    public IOperation? Receiver { get; private set; }

    /// <summary>The argument that is the key.</summary>
    public IOperation Key { get; }

    /// <summary>The type by which keys are compared. Null only if the code has errors.</summary>
    public ITypeSymbol? KeyType { get; }

    /// <summary>The delegate that runs once for all callers.</summary>
    public Work Work { get; }

    /// <summary>The argument that is passed on to the work, if the overload has one.</summary>
    public IOperation? State { get; private set; }

    /// <summary>The caller's token, if the call passes one.</summary>
    public IOperation? Token { get; private set; }

    /// <summary>The type of the shared result. Null if the work has none.</summary>
    public ITypeSymbol? Result => Work.Result;

    /// <summary>Whether an operation in the work is in the work of no other call inside this work. Such a call reports it instead.</summary>
    public bool IsClosestTo(IOperation operation)
    {
        for (var current = operation; current is not null && current != Work.Body; current = current.Parent)
        {
            if (current.Parent is IArgumentOperation { Parent: IInvocationOperation invocation } &&
                _find(invocation) is { } other && other.Work.Value.IsIn(current)) return false;
        }

        return true;
    }

    /// <summary>Takes an invocation apart by the shape that all overloads share: the key first, then a state, the work, and the token.</summary>
    public static CoalescedCall? Of(IInvocationOperation invocation, CallKind kind, Func<IInvocationOperation, CoalescedCall?> find)
    {
        var method = invocation.TargetMethod;
        var first = method.IsExtensionMethod && invocation.Instance is null ? 1 : 0;
        var (key, state, work, token) = (default(IArgumentOperation), default(IArgumentOperation), default(IArgumentOperation), default(IArgumentOperation));
        foreach (var argument in invocation.Arguments)
        {
            if (argument.Parameter is not { } parameter || parameter.Ordinal < first) continue;
            if (parameter.Ordinal == first) key = argument;
            else if (parameter.OriginalDefinition.Type is var type && type.TypeKind == TypeKind.Delegate) work ??= argument;
            else if (type.IsCancellationToken()) token = argument;
            else if (type.TypeKind == TypeKind.TypeParameter) state = argument;
        }

        if (key is null || work is null) return null;
        return new(invocation, kind, key, work, find)
        {
            Receiver = invocation.Instance ?? (first == 1 ? invocation.Arguments.FirstOrDefault(argument => argument.Parameter?.Ordinal == 0)?.Value : null),
            State = state?.Value,
            Token = token is { ArgumentKind: ArgumentKind.Explicit } ? token.Value : null,
        };
    }
}
