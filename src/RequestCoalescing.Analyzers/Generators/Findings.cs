using Microsoft.CodeAnalysis;

namespace RequestCoalescing.Analyzers.Generators;

/// <summary>The mistakes that were found in a declaration. The analyzer reports them. The generators only need to know whether there are any.</summary>
internal sealed class Findings(Action<Diagnostic>? report = null)
{
    /// <summary>Whether no code can be generated.</summary>
    public bool HasErrors { get; private set; }

    public void Add(DiagnosticDescriptor rule, ISymbol symbol, params object[] arguments) => Add(rule, symbol.Locations.FirstOrDefault(), arguments);

    public void Add(DiagnosticDescriptor rule, Location? location, params object[] arguments)
    {
        HasErrors |= rule.DefaultSeverity == DiagnosticSeverity.Error;
        report?.Invoke(Diagnostic.Create(rule, location, arguments));
    }
}
