using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>The settings of an <c>.editorconfig</c>, as the compiler reads them for all files.</summary>
internal sealed class Settings(string lines) : AnalyzerConfigOptionsProvider
{
    /// <summary>Lets the rules look at caches.</summary>
    public static AnalyzerOptions CheckCaches { get; } = new([], new Settings("requestcoalescing.check_caches = true"));

    public static AnalyzerOptions None { get; } = new([], new Settings(""));

    public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(lines);

    public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

    public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => GlobalOptions;

    private sealed class Values(string lines) : AnalyzerConfigOptions
    {
        private readonly ImmutableDictionary<string, string> _values = AnalyzerConfigSet
            .Create(new[] { AnalyzerConfig.Parse($"root = true\n[*.cs]\n{lines}\n", "/.editorconfig") })
            .GetOptionsForSourcePath("/Test0.cs")
            .AnalyzerOptions;

        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => _values.TryGetValue(key, out value);
    }
}
