using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>Each rule has a page. The rule finds the code that the page calls wrong, and leaves the corrected code alone.</summary>
public sealed partial class PageTests
{
    private static readonly ImmutableArray<DiagnosticAnalyzer> s_analyzers =
    [
        .. typeof(Analyzers.Calls.CoalescedCallAnalyzer).Assembly.GetTypes()
            .Where(type => !type.IsAbstract && typeof(DiagnosticAnalyzer).IsAssignableFrom(type))
            .Select(type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!),
    ];

    public static TheoryData<string> Rules => [.. s_analyzers.SelectMany(analyzer => analyzer.SupportedDiagnostics).Select(rule => rule.Id).Distinct().Order()];

    /// <summary>The rules whose page takes its code from the folder Pages.</summary>
    public static TheoryData<string> RulesWithCode =>
        [.. Directory.EnumerateFiles(Folder, "RC*.cs").Select(file => Path.GetFileNameWithoutExtension(file)).Order()];

    private static string Folder => Path.Combine(Repository.Root, "tests", "RequestCoalescing.Analyzers.Tests", "Pages");

    [Fact]
    public void The_rules_of_the_generators_are_among_them() => Assert.Subset(Rules.Select(row => row.Data).ToHashSet(), Analyzers.Generators.Rules.All.Select(rule => rule.Id).ToHashSet());

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_links_to_its_page(string id)
    {
        Assert.All(s_analyzers.SelectMany(analyzer => analyzer.SupportedDiagnostics).Where(rule => rule.Id == id), rule =>
        {
            var page = $"docs/rules/{id}.md";
            Assert.EndsWith($"/blob/main/{page}", rule.HelpLinkUri);
            Assert.StartsWith("https://", rule.HelpLinkUri);
            var text = File.ReadAllText(Path.Combine(Repository.Root, page));
            Assert.StartsWith($"# {id}: {rule.Title}\n", text);
            Assert.All(["## Cause", "## Why it matters", "## How to fix it", "## When to suppress it"], part => Assert.Contains($"\n{part}\n", text));
        });
    }

    [Theory]
    [MemberData(nameof(RulesWithCode))]
    public async Task The_rule_finds_the_code_before_and_not_the_code_after(string id)
    {
        var path = Path.Combine(Folder, $"{id}.cs");
        var tree = CSharpSyntaxTree.ParseText(await File.ReadAllTextAsync(path), Code.ParseOptions, path);
        var backend = CSharpSyntaxTree.ParseText(await File.ReadAllTextAsync(Path.Combine(Folder, "Backend.cs")), Code.ParseOptions);
        var compilation = Code.Empty.AddSyntaxTrees(tree, backend);
        Assert.DoesNotContain(compilation.GetDiagnostics(), diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        var found = await compilation.WithAnalyzers(s_analyzers).GetAnalyzerDiagnosticsAsync();
        var text = tree.GetText().ToString();
        var regions = Snippet().Matches(text).ToDictionary(
            snippet => snippet.Groups["name"].Value,
            snippet => found.Count(diagnostic => diagnostic.Id == id && diagnostic.Location.SourceSpan.Start > snippet.Index && diagnostic.Location.SourceSpan.End < snippet.Index + snippet.Length));
        Assert.NotEmpty(regions);
        Assert.All(regions, region => Assert.Equal(region.Key.Contains("-before", StringComparison.Ordinal), region.Value > 0));
        Assert.Equal(found.Count(diagnostic => diagnostic.Id == id), regions.Values.Sum());
    }

    [GeneratedRegex(@"// <snippet (?<name>[\w-]+)>.*?// </snippet>", RegexOptions.Singleline)]
    private static partial Regex Snippet();
}
