using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CoalescedWrite;

/// <summary>RC004: the work writes.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class CoalescedWriteAnalyzer : CoalescedCallAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.CoalescedWrite, Descriptors.CoalescedWriteThrough];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        foreach (var (where, name) in WritesOfWork.Of(call))
        {
            var place = where is IInvocationOperation invocation ? invocation.NameSyntax() : NameOf(where.Syntax);
            context.ReportDiagnostic(place is SimpleNameSyntax { Identifier.ValueText: var method } && method != name
                ? Diagnostic.Create(Descriptors.CoalescedWriteThrough, place.GetLocation(), method, name)
                : Diagnostic.Create(Descriptors.CoalescedWrite, place.GetLocation(), name));
        }
    }

    private static SyntaxNode NameOf(SyntaxNode syntax) => syntax switch
    {
        MemberAccessExpressionSyntax access => access.Name,
        AssignmentExpressionSyntax assignment => assignment.Right,
        _ => syntax,
    };
}
