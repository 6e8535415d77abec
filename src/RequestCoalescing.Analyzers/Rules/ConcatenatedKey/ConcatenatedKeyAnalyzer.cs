using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.ConcatenatedKey;

/// <summary>RC012: a key is a text of several parts, and different parts can make the same text.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ConcatenatedKeyAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.ConcatenatedKey];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        if (call.KeyType?.SpecialType != SpecialType.System_String) return;
        var key = call.Key.WithoutConversions();
        if (key is ILocalReferenceOperation { Local: var local } && key.OnlyValueOf(local) is { } only) key = only.WithoutConversions();
        if (KeyText.PartsOf(key) is { } parts && KeyText.CanCollide(parts) && !KeyReads.AreAll(call, key)) context.ReportDiagnostic(Diagnostic.Create(Descriptors.ConcatenatedKey, key.Syntax.GetLocation()));
    }
}
