using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Tests.Corpus;

/// <summary>Compiles the sources in a folder, and runs the rules over them. Types of packages that are not at hand stay unresolved.</summary>
internal sealed class CodeBase(string folder, bool hasTests)
{
    /// <summary>Lets the rules see that the code is that of tests.</summary>
    private const string Fact = "namespace Xunit { public class FactAttribute : System.Attribute; }";

    private static readonly string[] s_skipped = ["bin", "obj", "Migrations", "node_modules"];

    public async Task<(CallKind[] Calls, Diagnostic[] Found)> AnalyzeAsync()
    {
        var trees = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !Path.GetRelativePath(folder, file).Split('/').Any(part => s_skipped.Contains(part) || (!hasTests && part.Contains("test", StringComparison.OrdinalIgnoreCase))))
            .Select(file => CSharpSyntaxTree.ParseText(SourceText.From(File.ReadAllText(file)), Code.ParseOptions, file))
            .ToList();
        var compilation = CSharpCompilation.Create(Path.GetFileName(folder), trees, Code.References, Code.Options).AddSyntaxTrees(
            CSharpSyntaxTree.ParseText(Code.Usings.Text, Code.ParseOptions), CSharpSyntaxTree.ParseText(CacheCalls.Flights + (hasTests ? Fact : ""), Code.ParseOptions));
        var looked = new List<SyntaxTree>();
        foreach (var tree in trees)
        {
            var root = await tree.GetRootAsync();
            if (!root.DescendantNodes().OfType<InvocationExpressionSyntax>().Any(call => CacheCalls.MayBe(call) || IsFlight(call)))
            {
                continue;
            }

            var rewritten = tree.WithRootAndOptions(new CacheCalls(compilation.GetSemanticModel(tree)).Visit(root), tree.Options);
            rewritten = CSharpSyntaxTree.ParseText(rewritten.ToString(), Code.ParseOptions, tree.FilePath); // so that the lambdas are bound as they are written
            looked.Add(rewritten);
        }

        var all = trees.ToDictionary(tree => tree.FilePath);
        var changed = looked.ToDictionary(tree => tree.FilePath);
        compilation = compilation.RemoveSyntaxTrees(changed.Keys.Select(file => all[file])).AddSyntaxTrees(looked);
        return await FindAsync(compilation, looked);
    }

    private static bool IsFlight(InvocationExpressionSyntax call) =>
        call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "ExecuteAsync" or "ExecuteInScopeAsync" };

    private static async Task<(CallKind[] Calls, Diagnostic[] Found)> FindAsync(Compilation compilation, List<SyntaxTree> looked)
    {
        var counting = new CountingAnalyzer();
        var rules = typeof(CoalescedCallAnalyzer).Assembly.GetTypes()
            .Where(type => type.IsDefined(typeof(DiagnosticAnalyzerAttribute), inherit: false))
            .Select(type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!);
        var analysis = compilation.WithAnalyzers([.. rules, counting], Settings.CheckCaches);
        var found = new List<Diagnostic>();
        foreach (var tree in looked)
        {
            found.AddRange(await analysis.GetAnalyzerSemanticDiagnosticsAsync(compilation.GetSemanticModel(tree), filterSpan: null, CancellationToken.None));
        }

        return ([.. counting.Calls], [.. found.OrderBy(finding => finding.Id, StringComparer.Ordinal).ThenBy(finding => finding.Location.SourceTree?.FilePath, StringComparer.Ordinal)]);
    }
}
