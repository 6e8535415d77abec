using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>
/// Says why no code can be generated for a declaration. It is an analyzer, and not a part of the generators, so that what it reports can be suppressed, and
/// the generators keep nothing that changes with each edit.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KeyAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [.. Rules.All];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterSymbolAction(static symbol => Look(symbol.Symbol, symbol.ReportDiagnostic), SymbolKind.NamedType, SymbolKind.Method);
    }

    private static void Look(ISymbol symbol, Action<Diagnostic> report)
    {
        switch (symbol)
        {
            case INamedTypeSymbol type when type.Find(Symbols.KeyAttribute) is not null:
                KeyParser.Parse(type, new Findings(report));
                break;
            case INamedTypeSymbol { TypeKind: TypeKind.Interface } type when type.GetMembers().Any(InterfaceParser.IsMarked):
                InterfaceParser.Parse(type, new Findings(report));
                break;
            case IMethodSymbol { ContainingType.TypeKind: not TypeKind.Interface, PartialDefinitionPart: null } method when method.Find(Symbols.CoalesceAttribute) is not null:
                MethodParser.Parse(method, new Findings(report));
                break;
        }
    }
}
