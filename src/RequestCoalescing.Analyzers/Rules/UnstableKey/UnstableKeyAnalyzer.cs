using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.UnstableKey;

/// <summary>RC009: a part of the key differs from call to call, or two equal values of it are not equal.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UnstableKeyAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
        [Descriptors.UnstableKey, Descriptors.KeyWithoutEquality, Descriptors.FloatingKey];

    private protected override bool LooksAtCaches => true;

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        foreach (var operation in KeyOperations.Of(call))
        {
            if (!UnstableValue.IsReadBy(operation)) continue;
            context.ReportDiagnostic(Diagnostic.Create(Descriptors.UnstableKey, operation.Syntax.GetLocation(), operation.Syntax.ToString()));
            return;
        }

        if (KeyEquality.HasComparer(call) || KeyEquality.ProblemOf(call) is not { } type) return;
        var name = type.ToMinimalDisplayString(call.Invocation.SemanticModel!, call.Key.Syntax.SpanStart);
        context.ReportDiagnostic(KeyEquality.IsFloating(type)
            ? Diagnostic.Create(Descriptors.FloatingKey, call.Key.Syntax.GetLocation(), name)
            : Diagnostic.Create(Descriptors.KeyWithoutEquality, call.Key.Syntax.GetLocation(), name));
    }
}
