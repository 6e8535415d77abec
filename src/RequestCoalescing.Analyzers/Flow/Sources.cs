using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Flow;

/// <summary>Finds the operations that give the variables of a method their values.</summary>
internal sealed class Sources
{
    private readonly Dictionary<ISymbol, List<IOperation>> _values = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ISymbol, List<IOperation>> _influences = new(SymbolEqualityComparer.Default);

    private readonly List<IInvocationOperation> _calls;

    /// <summary>
    /// Reads the method around a call, and its caller if there is only one. The work is left out, because it runs after the key is made.
    /// </summary>
    public Sources(CoalescedCall call)
    {
        _calls = [call.Invocation];
        foreach (var operation in call.Invocation.Root().DescendantsAndSelf())
        {
            if (!IsInWork(operation, call)) Add(operation);
        }

        while (_calls.Count < 5 && OnlyCall.OfMethodAround(_calls[_calls.Count - 1]) is { } outer) AddCaller(outer);
    }

    /// <summary>The call itself, then the only call of the method around it, and so on.</summary>
    public IReadOnlyList<IInvocationOperation> Calls => _calls;

    /// <summary>The values that are assigned to a variable.</summary>
    public IEnumerable<IOperation> ValuesOf(ISymbol variable) => _values.TryGetValue(variable, out var values) ? values : [];

    /// <summary>Other operations that can decide about the content of a variable: conditions, and methods that fill it.</summary>
    public IEnumerable<IOperation> InfluencesOn(ISymbol variable) => _influences.TryGetValue(variable, out var influences) ? influences : [];

    /// <summary>Whether a parameter has the value of an argument that is known.</summary>
    public bool IsPassed(ISymbol parameter) => _calls.Any(call => SymbolEqualityComparer.Default.Equals(call.TargetMethod.OriginalDefinition, parameter.ContainingSymbol));

    private void AddCaller(IInvocationOperation caller)
    {
        _calls.Add(caller);
        foreach (var argument in caller.Arguments) AddValue(argument.Parameter!.OriginalDefinition, argument.Value);
        foreach (var operation in caller.Root().DescendantsAndSelf()) Add(operation);
    }

    private static bool IsInWork(IOperation operation, CoalescedCall call) => call.Work.Body?.Syntax.Span.Contains(operation.Syntax.Span) == true;

    private void Add(IOperation operation)
    {
        switch (operation)
        {
            case IVariableDeclaratorOperation declarator when declarator.GetVariableInitializer() is { } initializer:
                AddValue(declarator.Symbol, initializer.Value);
                break;
            case IDeconstructionAssignmentOperation deconstruction:
                Deconstruct(deconstruction.Target, deconstruction.Value);
                break;
            case IAssignmentOperation assignment:
                Assign(assignment.Target, assignment.Value);
                break;
            case IForEachLoopOperation loop:
                foreach (var local in loop.Locals) AddValue(local, loop.Collection);
                break;
            case IDeclarationPatternOperation { DeclaredSymbol: { } declared }:
                Match(operation, declared);
                break;
            case IRecursivePatternOperation { DeclaredSymbol: { } declared }:
                Match(operation, declared);
                break;
            case IInvocationOperation invocation when !invocation.IsLogging():
                Fill(invocation.Instance, invocation.Arguments.Select(argument => argument.Value), invocation);
                break;
            default:
                break;
        }
    }

    private void AddValue(ISymbol variable, IOperation value) => Add(_values, variable, value);

    private void Assign(IOperation target, IOperation value)
    {
        if (Owner(target) is not { } variable) return;
        if (target.Variable() is not null) AddValue(variable, value);
        else Add(_influences, variable, value);
        for (var current = target.Parent; current is not null; current = current.Parent)
        {
            if (Condition(current) is { } condition) Add(_influences, variable, condition);
        }
    }

    private void Deconstruct(IOperation target, IOperation value)
    {
        target = target is IDeclarationExpressionOperation declaration ? declaration.Expression : target;
        if (target is not ITupleOperation tuple)
        {
            Assign(target, value);
            return;
        }

        var values = value.WithoutConversions() is ITupleOperation pairs && pairs.Elements.Length == tuple.Elements.Length ? pairs.Elements : default;
        for (var index = 0; index < tuple.Elements.Length; index++) Deconstruct(tuple.Elements[index], values.IsDefault ? value : values[index]);
    }

    private void Match(IOperation pattern, ISymbol declared)
    {
        var current = pattern.Parent;
        while (current is IPatternOperation or IPropertySubpatternOperation or ICaseClauseOperation or ISwitchCaseOperation or ISwitchExpressionArmOperation) current = current.Parent;
        var value = current switch
        {
            IIsPatternOperation match => match.Value,
            ISwitchOperation choice => choice.Value,
            ISwitchExpressionOperation choice => choice.Value,
            _ => null,
        };
        if (value is not null) AddValue(declared, value);
    }

    /// <summary>A call can fill its receiver from its arguments, and an argument from the others.</summary>
    private void Fill(IOperation? receiver, IEnumerable<IOperation> arguments, IInvocationOperation invocation)
    {
        if (receiver is not null && Owner(receiver) is ILocalSymbol filled && CanBeFilled(filled.Type))
        {
            foreach (var argument in arguments) Add(_influences, filled, argument);
        }

        foreach (var argument in invocation.Arguments)
        {
            var value = argument.Value is IDeclarationExpressionOperation declaration ? declaration.Expression : argument.Value.WithoutConversions();
            if (argument.Parameter?.RefKind is RefKind.Out or RefKind.Ref && value.Variable() is { } result) AddValue(result, invocation);
            else if (Owner(value) is ILocalSymbol local && (local.Type.IsRefLikeType || (value.Variable() is not null && CanBeFilled(local.Type) && invocation.Parent is IExpressionStatementOperation))) Add(_influences, local, invocation);
        }
    }

    /// <summary>The variable, or member of <c>this</c>, whose content an operation names: <c>a</c> for <c>a.B[0]</c> and for <c>a.Append(b)</c>.</summary>
    private static ISymbol? Owner(IOperation operation)
    {
        for (var current = operation.WithoutConversions(); ;)
        {
            switch (current)
            {
                case IMemberReferenceOperation { Instance: IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance } } member:
                    return member.Member;
                case IMemberReferenceOperation { Instance: { } instance }:
                    current = instance.WithoutConversions();
                    break;
                case IInvocationOperation { Instance: { } instance }:
                    current = instance.WithoutConversions();
                    break;
                case IArrayElementReferenceOperation element:
                    current = element.ArrayReference.WithoutConversions();
                    break;
                default:
                    return current.Variable();
            }
        }
    }

    private static bool CanBeFilled(ITypeSymbol type) => type.SpecialType == SpecialType.None && type.TypeKind is not (TypeKind.Enum or TypeKind.Delegate);

    private static IOperation? Condition(IOperation operation) => operation switch
    {
        IConditionalOperation conditional => conditional.Condition,
        ISwitchOperation choice => choice.Value,
        IWhileLoopOperation loop => loop.Condition,
        IForLoopOperation loop => loop.Condition,
        IForEachLoopOperation loop => loop.Collection,
        _ => null,
    };

    private static void Add(Dictionary<ISymbol, List<IOperation>> all, ISymbol variable, IOperation operation)
    {
        if (!all.TryGetValue(variable, out var list)) all[variable] = list = [];
        list.Add(operation);
    }
}
