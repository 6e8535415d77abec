using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Flow;

/// <summary>Follows values back through the locals and local functions of a method to their inputs.</summary>
internal sealed class Origins
{
    private readonly Sources _sources;
    private readonly bool _withInfluences;
    private readonly List<Input> _inputs = [];
    private readonly List<IOperation> _operations = [];
    private readonly HashSet<ISymbol> _seen = new(SymbolEqualityComparer.Default);

    private Origins(Sources sources, bool withInfluences)
    {
        _sources = sources;
        _withInfluences = withInfluences;
    }

    /// <summary>The parameters, locals and members of <c>this</c> that decide about the values.</summary>
    public IReadOnlyList<Input> Inputs => _inputs;

    /// <summary>All operations that take part in making the values.</summary>
    public IReadOnlyList<IOperation> Operations => _operations;

    /// <summary>Whether the values are made by members of <c>this</c> whose code is not followed.</summary>
    public bool UseThis { get; private set; }

    /// <summary>Everything that can have a part in the key of a call, or in the choice of its engine. Rather too much than too little.</summary>
    public static Origins OfKey(CoalescedCall call, Sources sources)
    {
        var origins = new Origins(sources, withInfluences: true);
        origins.Visit(call.Key);
        var useThis = origins.UseThis;
        if (call.Receiver is not null) origins.Visit(call.Receiver);
        origins.UseThis = useThis;
        return origins;
    }

    /// <summary>Follows only the values from which a variable is certainly computed.</summary>
    public static Origins OfVariable(ISymbol variable, Sources sources)
    {
        var origins = new Origins(sources, withInfluences: false);
        foreach (var value in sources.ValuesOf(variable)) origins.Visit(value);
        return origins;
    }

    private void Visit(IOperation value)
    {
        foreach (var operation in value.DescendantsAndSelf())
        {
            if (operation.IsNamed()) continue;
            _operations.Add(operation);
            switch (operation)
            {
                case IInvocationOperation { TargetMethod: { MethodKind: MethodKind.LocalFunction } function }:
                    VisitFunction(function, operation);
                    break;
                case IMethodReferenceOperation { Method: { MethodKind: MethodKind.LocalFunction } function }:
                    VisitFunction(function, operation);
                    break;
                case IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance }:
                    UseThis |= operation.Parent is not IFieldReferenceOperation && (operation.Parent is not IPropertyReferenceOperation { Property: var property } || IsComputed(property));
                    break;
                default:
                    break;
            }

            if (Input.Of(operation) is not { } input) continue;
            _inputs.Add(input);
            if (!_seen.Add(input.Root)) continue;
            foreach (var source in _sources.ValuesOf(input.Root)) Visit(source);
            if (!_withInfluences) continue;
            foreach (var influence in _sources.InfluencesOn(input.Root)) Visit(influence);
        }
    }

    /// <summary>Whether a property of the source has code, and not just a value.</summary>
    private static bool IsComputed(IPropertySymbol property) =>
        !property.DeclaringSyntaxReferences.IsEmpty &&
        !property.ContainingType.GetMembers().OfType<IFieldSymbol>().Any(field => SymbolEqualityComparer.Default.Equals(field.AssociatedSymbol, property));

    private void VisitFunction(IMethodSymbol function, IOperation place)
    {
        if (!_seen.Add(function.OriginalDefinition)) return;
        var body = place.Root().Descendants().OfType<ILocalFunctionOperation>()
            .FirstOrDefault(candidate => SymbolEqualityComparer.Default.Equals(candidate.Symbol, function.OriginalDefinition))?.Body;
        if (body is not null) Visit(body);
    }
}
