using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>Runs rules over a piece of code. All pieces extend one compilation, because binding its references anew takes longer than the rest.</summary>
internal static class Verify
{
    private static readonly ImmutableArray<DiagnosticAnalyzer> s_all =
    [
        .. typeof(Analyzers.Calls.CoalescedCallAnalyzer).Assembly.GetTypes()
            .Where(type => !type.IsAbstract && typeof(DiagnosticAnalyzer).IsAssignableFrom(type))
            .Select(type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!),
    ];

    /// <summary>All rules together find the marked places, and no others.</summary>
    public static Task AllFindAsync(string code, bool isProgram = false) => FindsAsync(s_all, code, checkCaches: true, isProgram);

    public static async Task FindsAsync(ImmutableArray<DiagnosticAnalyzer> rules, string code, bool checkCaches, bool isProgram)
    {
        TestFileMarkupParser.GetPositionsAndSpans(code, out var text, out _, out var spans);
        var expected = spans.SelectMany(named => named.Value.Select(span => (Id: named.Key.Length > 0 ? named.Key : rules[0].SupportedDiagnostics[0].Id, Span: span)));
        var tree = CSharpSyntaxTree.ParseText(text, Code.ParseOptions, "/Test0.cs", cancellationToken: TestContext.Current.CancellationToken);
        var compilation = Code.Empty.AddSyntaxTrees(tree);
        if (isProgram) compilation = compilation.WithOptions(Code.Options.WithOutputKind(OutputKind.ConsoleApplication));
        var found = await compilation.WithAnalyzers(rules, checkCaches ? Settings.CheckCaches : Settings.None).GetAllDiagnosticsAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain(found, diagnostic => diagnostic.Severity == DiagnosticSeverity.Error || diagnostic.Id == "AD0001");
        Assert.Equal(
            expected.Select(place => $"{place.Id} {place.Span} {text.Substring(place.Span.Start, place.Span.Length)}").Order(StringComparer.Ordinal),
            found.Where(diagnostic => diagnostic.Id.StartsWith("RC", StringComparison.Ordinal))
                .Select(diagnostic => $"{diagnostic.Id} {diagnostic.Location.SourceSpan} {tree.GetText().ToString(diagnostic.Location.SourceSpan)}")
                .Order(StringComparer.Ordinal));
    }
}

/// <summary>Runs one rule over a piece of code, in which <c>[|…|]</c> or <c>{|RC002:…|}</c> marks each place that the rule must find.</summary>
internal static class Verify<TAnalyzer>
    where TAnalyzer : DiagnosticAnalyzer, new()
{
    /// <summary>The rule finds nothing.</summary>
    public static Task NoneAsync(string code, bool checkCaches = false, bool isProgram = false)
    {
        Assert.DoesNotContain("|]", code);
        Assert.DoesNotContain("|}", code);
        return FindsAsync(code, checkCaches, isProgram);
    }

    /// <summary>The rule finds the marked places, and no others.</summary>
    public static Task FindsAsync(string code, bool checkCaches = false, bool isProgram = false) => Verify.FindsAsync([new TAnalyzer()], code, checkCaches, isProgram);

    /// <summary>The fix turns the marked code into other code, in which the rule finds nothing unless it is marked.</summary>
    public static Task FixesAsync<TFix>(string before, string after)
        where TFix : CodeFixProvider, new()
    {
        var test = new FixTest<TFix>
        {
            TestCode = before,
            FixedCode = after,
            TestBehaviors = TestBehaviors.SkipGeneratedCodeCheck | TestBehaviors.SkipSuppressionCheck, // each would analyze once more; OddCodeTests has them
            CodeFixTestBehaviors = CodeFixTestBehaviors.SkipFixAllInProjectCheck | CodeFixTestBehaviors.SkipFixAllInSolutionCheck, // each document is all of the solution
            ReferenceAssemblies = Code.NoPackages,
            MarkupOptions = MarkupOptions.UseFirstDescriptor,
        };
        test.TestState.AdditionalReferences.AddRange(Code.References);
        test.TestState.Sources.Add(Code.Usings);
        test.FixedState.Sources.Add(Code.Usings);
        test.TestState.OutputKind = OutputKind.DynamicallyLinkedLibrary;
        return test.RunAsync(TestContext.Current.CancellationToken);
    }

    private sealed class FixTest<TFix> : CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier>
        where TFix : CodeFixProvider, new()
    {
        protected override ParseOptions CreateParseOptions() => Code.ParseOptions;

        protected override CompilationOptions CreateCompilationOptions() => Code.Options;
    }
}
