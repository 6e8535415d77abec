using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Flow;

/// <summary>A parameter, a local or a member of <c>this</c>, or a part of one: <c>request.Filter.Name</c>.</summary>
internal sealed class Input
{
    private Input(ISymbol root, string path, ITypeSymbol? type, IOperation read)
    {
        Root = root;
        Path = path;
        Type = type;
        Read = read;
    }

    public ISymbol Root { get; }

    /// <summary>The members that lead from the root to the part, each after a dot. Empty for the whole.</summary>
    public string Path { get; }

    /// <summary>The type of the part.</summary>
    public ITypeSymbol? Type { get; }

    /// <summary>The operation that reads the part.</summary>
    public IOperation Read { get; }

    public string Name => Root.Name + Path;

    /// <summary>Returns the parameter, local or member of <c>this</c> that an operation reads. Null if it reads none.</summary>
    public static Input? Of(IOperation operation)
    {
        var root = operation switch
        {
            ILocalReferenceOperation local => local.Local,
            IParameterReferenceOperation parameter => parameter.Parameter,
            IFieldReferenceOperation { Instance: IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance } } field => field.Field,
            IPropertyReferenceOperation { Instance: IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance } } property => property.Property,
            _ => default(ISymbol),
        };
        if (root is null) return null;
        var (path, current) = ("", operation);
        while (!current.Type.IsIndivisible() && Next(current) is var (segment, next))
        {
            path += segment;
            current = next;
        }

        return new(root, path, current.Type, Whole(current));
    }

    /// <summary>Whether one of two inputs is the other, or a part of it.</summary>
    public bool Overlaps(Input other) => Same(Root, other.Root) && (IsPart(Path, other.Path) || IsPart(other.Path, Path));

    public bool HasRoot(ISymbol symbol) => Same(Root, symbol);

    private static bool IsPart(string path, string whole) =>
        path.StartsWith(whole, StringComparison.Ordinal) && (path.Length == whole.Length || path[whole.Length] is '.' or '[');

    /// <summary>One step along <c>request.Filter.Name</c>.</summary>
    public static (string Segment, IOperation Next)? Next(IOperation current) => current.Parent switch
    {
        IPropertyReferenceOperation { Property: { Name: "Value", ContainingType.OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } } value => ("", value),
        IPropertyReferenceOperation property when Segment(property) is { } segment => (segment, property),
        IFieldReferenceOperation field => ("." + field.Field.Name, field),
        IConversionOperation { OperatorMethod: null, Parent: IMemberReferenceOperation } conversion => ("", conversion),
        IConditionalAccessOperation access when access.WhenNotNull == current => ("", access),
        IConditionalAccessOperation access when access.Operation == current && Start(access.WhenNotNull) is { } start => ("", start),
        _ => null,
    };

    /// <summary>A property, or an element whose index is a constant.</summary>
    private static string? Segment(IPropertyReferenceOperation property)
    {
        if (property.Arguments.IsEmpty) return "." + property.Property.Name;
        return property.Arguments.Length == 1 && property.Arguments[0].Value.ConstantValue is { HasValue: true, Value: { } index } ? $"[{index}]" : null;
    }

    /// <summary>The place in <c>a?.B.C</c> that stands for <c>a</c>.</summary>
    private static IOperation? Start(IOperation whenNotNull) => First(whenNotNull) is IConditionalAccessInstanceOperation start ? start : null;

    /// <summary>The expression that a part stands in. In <c>a?.B</c>, the part <c>.B</c> alone is none.</summary>
    private static IOperation Whole(IOperation part)
    {
        if (Start(part) is null) return part;
        var current = part;
        while (current.Parent is not IConditionalAccessOperation access || access.WhenNotNull != current) current = current.Parent!;
        var around = (IConditionalAccessOperation)current.Parent;
        return Whole(part is IConditionalAccessInstanceOperation ? around.Operation : around);
    }

    /// <summary>The beginning of a chain of members and calls.</summary>
    private static IOperation First(IOperation chain)
    {
        var current = chain;
        while (Inner(current) is { } inner) current = inner;
        return current;

        static IOperation? Inner(IOperation operation) => operation switch
        {
            IMemberReferenceOperation member => member.Instance,
            IInvocationOperation invocation => invocation.Instance,
            IConditionalAccessOperation access => access.Operation,
            _ => null,
        };
    }

    private static bool Same(ISymbol one, ISymbol other) => SymbolEqualityComparer.Default.Equals(one, other);
}
