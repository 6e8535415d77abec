using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;
using RequestCoalescing.Analyzers.Flow;

namespace RequestCoalescing.Analyzers.Rules.KeyLacksInput;

/// <summary>RC002: the work reads data that the key is not made of.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KeyLacksInputAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.KeyLacksInput];

    private protected override bool LooksAtCaches => true;

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        if (!call.Work.ReadsOf(call).Any(IsVariable)) return;
        var sources = new Sources(call);
        var key = Origins.OfKey(call, sources);
        if (IsChosenByCaller(call, key) || IsOwnEngine(call, sources)) return;
        var inputs = new WorkInputs(call, sources, key);
        var reported = new HashSet<string>();
        foreach (var read in call.Work.ReadsOf(call))
        {
            if (Input.Of(read) is not { } input || inputs.Missing(input) is not { } missing || !reported.Add(missing)) continue;
            context.ReportDiagnostic(Diagnostic.Create(
                Descriptors.KeyLacksInput,
                input.Read.Syntax.GetLocation(),
                [call.Key.Syntax.GetLocation()],
                ImmutableDictionary<string, string?>.Empty.Add(KeyParts.Part, missing == input.Name ? input.Read.Syntax.ToString() : missing),
                missing));
        }
    }

    private static bool IsVariable(IOperation operation) =>
        operation is IParameterReferenceOperation or ILocalReferenceOperation or IFieldReferenceOperation or IPropertyReferenceOperation;

    /// <summary>A wrapper gets the key from its caller, and so does not know the parts of the key.</summary>
    private static bool IsChosenByCaller(CoalescedCall call, Origins key)
    {
        if (key.Inputs.Any(input => input.Root is IParameterSymbol && input.Root.Name.IndexOf("key", StringComparison.OrdinalIgnoreCase) >= 0)) return true;
        return call.Key.WithoutConversions() is IParameterReferenceOperation && call.Work.ReadsOf(call).Any(read => IsVariable(read) && read.Type?.TypeKind == TypeKind.Delegate);
    }

    /// <summary>If the method itself creates the engine, no call with other arguments shares it.</summary>
    private static bool IsOwnEngine(CoalescedCall call, Sources sources) => call.Receiver?.WithoutConversions() switch
    {
        IObjectCreationOperation => true,
        ILocalReferenceOperation { Local: var local } => sources.ValuesOf(local).Any(value => value.WithoutConversions() is IObjectCreationOperation),
        _ => false,
    };
}
