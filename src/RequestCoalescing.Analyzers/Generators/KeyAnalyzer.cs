using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>
/// Says why no code can be generated for a declaration. It is an analyzer, and not a part of the generators, so that its reports can be suppressed, and
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
        context.RegisterSymbolAction(static symbol => Look((INamedTypeSymbol)symbol.Symbol, symbol.ReportDiagnostic), SymbolKind.NamedType);
    }

    // A partial method is looked at with its type: of the method itself, the compiler would show only the part that is generated.
    private static void Look(INamedTypeSymbol type, Action<Diagnostic> report)
    {
        if (type.Find(Symbols.KeyAttribute) is not null) KeyParser.Parse(type, new Findings(report));
        var marked = type.GetMembers().Where(InterfaceParser.IsMarked).ToList();
        if (marked.Count > 0 && type.TypeKind == TypeKind.Interface) InterfaceParser.Parse(type, new Findings(report));
        else marked.ForEach(method => MethodParser.Parse((IMethodSymbol)method, new Findings(report)));
    }
}
