using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ValueTaskMisuse;

/// <summary>Ways to use a <c>ValueTask</c>.</summary>
internal static class Uses
{
    public static bool IsValueTask(this ITypeSymbol? type) =>
        type.Is("System.Threading.Tasks", "ValueTask") || type.Is("System.Threading.Tasks", "ValueTask`1");

    /// <summary>Whether a use takes the outcome, which can be done once.</summary>
    public static bool Consumes(this IOperation value) => value.WithConversions() is var use && use.Parent switch
    {
        IAwaitOperation => true,
        IPropertyReferenceOperation { Property.Name: "Result" } => true,
        IInvocationOperation { TargetMethod.Name: "AsTask" or "GetAwaiter" or "ConfigureAwait" or "Preserve" } call => call.Instance == use,
        _ => false,
    };

    /// <summary>The expression that reads the outcome without waiting for it. Null for other uses.</summary>
    public static IOperation? BlockingUse(this IOperation value)
    {
        var use = value.WithConversions();
        return use.Parent switch
        {
            IPropertyReferenceOperation { Property.Name: "Result" } result => result,
            IInvocationOperation { TargetMethod.Name: "ConfigureAwait" } configured when configured.Instance == use => configured.BlockingUse(),
            IInvocationOperation { TargetMethod.Name: "GetAwaiter", Parent: IInvocationOperation { TargetMethod.Name: "GetResult" } result } => result,
            _ => null,
        };
    }

    /// <summary>Whether the code asks first whether the value has completed.</summary>
    public static bool AsksForCompletion(this IOperation value) =>
        value.WithConversions().Parent is IPropertyReferenceOperation { Property.Name: "IsCompleted" or "IsCompletedSuccessfully" or "IsFaulted" or "IsCanceled" };

    /// <summary>Whether a use keeps the value where code outside this function finds it: in a member, a collection of a member, a lazy value, a cache.</summary>
    public static bool IsKept(this IOperation value)
    {
        var use = value.WithConversions();
        return use.Parent switch
        {
            ISimpleAssignmentOperation assignment when assignment.Value == use => IsOwnMember(assignment.Target),
            ICoalesceAssignmentOperation assignment when assignment.Value == use => IsOwnMember(assignment.Target),
            IFieldInitializerOperation or IPropertyInitializerOperation => true,
            IArgumentOperation { Parent: IInvocationOperation call } argument when argument.Parameter?.Type.IsValueTask() == true => Keeps(call),
            IReturnOperation => value.Function() is IAnonymousFunctionOperation lambda && IsFactoryOfKept(lambda),
            _ => false,
        };
    }

    /// <summary>A field or property of this object, a static one, or an element of one.</summary>
    private static bool IsOwnMember(IOperation? target) => target?.WithoutConversions() switch
    {
        IPropertyReferenceOperation { Property.IsIndexer: true } element => IsOwnMember(element.Instance),
        IArrayElementReferenceOperation element => IsOwnMember(element.ArrayReference),
        IMemberReferenceOperation { Instance: null or IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance } } member =>
            member.Member is IFieldSymbol or IPropertySymbol,
        _ => false,
    };

    private static bool Keeps(IInvocationOperation call) => call.TargetMethod.Name switch
    {
        "Add" or "TryAdd" or "AddOrUpdate" or "GetOrAdd" or "Enqueue" or "Push" or "Insert" => IsOwnMember(call.Instance),
        "Set" => call.TargetMethod.ContainingType.Is("Microsoft.Extensions.Caching.Memory", "CacheExtensions"),
        _ => false,
    };

    private static bool IsFactoryOfKept(IAnonymousFunctionOperation lambda) => lambda.Parent is IDelegateCreationOperation creation && creation.WithConversions().Parent switch
    {
        IArgumentOperation { Parent: IObjectCreationOperation { Type: INamedTypeSymbol type } } => type.Is("System", "Lazy`1") && type.TypeArguments[0].IsValueTask(),
        IArgumentOperation { Parent: IInvocationOperation { TargetMethod: { Name: "GetOrAdd" or "AddOrUpdate", ContainingType: var type } } } =>
            type.Is("System.Collections.Concurrent", "ConcurrentDictionary`2") && type.TypeArguments[1].IsValueTask(),
        IArgumentOperation { Parent: IInvocationOperation { TargetMethod: { Name: "GetOrCreate", ContainingType: var type } method } } =>
            type.Is("Microsoft.Extensions.Caching.Memory", "CacheExtensions") && method.TypeArguments.Any(argument => argument.IsValueTask()),
        _ => false,
    };
}
