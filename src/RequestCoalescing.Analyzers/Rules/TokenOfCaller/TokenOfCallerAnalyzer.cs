using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.TokenOfCaller;

/// <summary>RC001: the work uses the token of one caller, or ignores its flight and passes no token at all.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class TokenOfCallerAnalyzer : CoalescedCallAnalyzer
{
    /// <summary>The name of the parameter that lacks the token, for the fix.</summary>
    internal const string Parameter = "Parameter";

    /// <summary>The position of that parameter among the arguments, for the fix.</summary>
    internal const string Position = "Position";

    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Descriptors.TokenOfCaller, Descriptors.NoToken];

    private protected override void Analyze(OperationAnalysisContext context, CoalescedCall call)
    {
        if (call.Work is not { Body: { } body, Flight: { } flight }) return;
        var token = new CallerToken(call);
        var (ignored, found) = (true, false);
        foreach (var operation in body.DescendantsAndSelf())
        {
            if (operation is IParameterReferenceOperation reference && SymbolEqualityComparer.Default.Equals(reference.Parameter, flight)) ignored = false;
            if (!token.IsReadBy(operation)) continue;
            found = true;
            if (call.IsClosestTo(operation)) Report(Descriptors.TokenOfCaller, operation, operation.Syntax.ToString());
        }

        if (!ignored || found) return;
        foreach (var invocation in body.DescendantsAndSelf().OfType<IInvocationOperation>())
        {
            if (call.IsClosestTo(invocation) && MissingToken.In(invocation) is { } parameter) Report(Descriptors.NoToken, invocation, invocation.TargetMethod.Name, parameter);
        }

        void Report(DiagnosticDescriptor rule, IOperation place, string name, IParameterSymbol? parameter = null)
        {
            var properties = ImmutableDictionary<string, string?>.Empty;
            if (parameter is not null)
            {
                var position = parameter.Ordinal - (parameter.ContainingSymbol is IMethodSymbol { IsExtensionMethod: true } && IsReduced(place) ? 1 : 0);
                properties = properties.Add(Parameter, parameter.Name).Add(Position, position.ToString(CultureInfo.InvariantCulture));
            }

            var flights = flight.Locations.Where(location => location.IsInSource);
            context.ReportDiagnostic(Diagnostic.Create(rule, place.Syntax.GetLocation(), flights, properties, name, NameOf(flight)));
        }
    }

    private static bool IsReduced(IOperation invocation) => invocation.SemanticModel?.GetSymbolInfo(invocation.Syntax).Symbol is IMethodSymbol { ReducedFrom: not null };

    private static string NameOf(IParameterSymbol flight) => flight.Name is "" or "_" ? "flight" : flight.Name;
}
