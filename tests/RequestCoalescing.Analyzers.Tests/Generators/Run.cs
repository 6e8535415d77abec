using System.Collections.Immutable;
using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using RequestCoalescing.Analyzers.Generators;

namespace RequestCoalescing.Analyzers.Tests.Generators;

/// <summary>Runs the generator, and the analyzer beside it, as the compiler does.</summary>
internal static class Run
{
    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.CSharp14, DocumentationMode.Diagnose);

    private static readonly MetadataReference[] s_references = [.. Net100.References.All, MetadataReference.CreateFromFile(typeof(Singleflight).Assembly.Location)];

    private static readonly CSharpCompilation s_empty = CSharpCompilation.Create(
        "Tests",
        syntaxTrees: null,
        s_references,
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, warningLevel: 9999));

    public static CSharpCompilation Compile(params string[] sources) => s_empty.AddSyntaxTrees(sources.Select((source, i) => Parse(source, $"Source{i}.cs")));

    public static SyntaxTree Parse(string source, string path = "Source0.cs") => CSharpSyntaxTree.ParseText(
        "using System; using System.Collections.Generic; using System.IO; using System.Threading; using System.Threading.Tasks; using RequestCoalescing;\n" + source, s_parse, path);

    public static GeneratorDriver Driver() => CSharpGeneratorDriver.Create(
        [new KeyGenerator().AsSourceGenerator()],
        parseOptions: s_parse,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    /// <summary>Returns the generated files. The compiler must report nothing about the result.</summary>
    public static ImmutableArray<GeneratedSourceResult> Generate(string source)
    {
        var driver = Driver().RunGeneratorsAndUpdateCompilation(Compile(source), out var output, out var diagnostics, TestContext.Current.CancellationToken);
        Assert.Empty(diagnostics);
        Assert.Empty(output.GetDiagnostics(TestContext.Current.CancellationToken).Where(diagnostic => diagnostic.Severity >= DiagnosticSeverity.Warning && !IsAboutComments(diagnostic)));
        return driver.GetRunResult().Results.Single().GeneratedSources;
    }

    // Generated code has comments; the sources of the tests have none.
    private static bool IsAboutComments(Diagnostic diagnostic) => diagnostic.Id == "CS1591" && diagnostic.Location.SourceTree?.FilePath.StartsWith("Source", StringComparison.Ordinal) == true;

    /// <summary>Returns the reports of the analyzer on a compilation with its generated code, as <c>id: message</c>.</summary>
    public static async Task<string[]> AnalyzeAsync(string source)
    {
        Driver().RunGeneratorsAndUpdateCompilation(Compile(source), out var output, out _, TestContext.Current.CancellationToken);
        var found = await output
            .WithAnalyzers([new KeyAnalyzer()], new CompilationWithAnalyzersOptions(new AnalyzerOptions([]), onAnalyzerException: null, concurrentAnalysis: true, logAnalyzerExecutionTime: false))
            .GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);
        Assert.All(found, diagnostic => Assert.True(diagnostic.Location.IsInSource));
        return [.. found.OrderBy(diagnostic => diagnostic.Location.SourceSpan.Start).Select(diagnostic => $"{diagnostic.Id}: {diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture)}")];
    }
}
