using System.Collections.Immutable;
using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>Runs one rule over a piece of code, in which <c>[|…|]</c> or <c>{|RC002:…|}</c> marks what the rule must find.</summary>
internal static class Verify<TAnalyzer>
    where TAnalyzer : DiagnosticAnalyzer, new()
{
    /// <summary>The rule finds nothing.</summary>
    public static Task NoneAsync(string code, string settings = "", Action<AnalyzerTest<DefaultVerifier>>? configure = null)
    {
        Assert.DoesNotContain("|]", code);
        Assert.DoesNotContain("|}", code);
        return FindsAsync(code, settings, configure);
    }

    /// <summary>The rule finds what is marked, and no more.</summary>
    public static Task FindsAsync(string code, string settings = "", Action<AnalyzerTest<DefaultVerifier>>? configure = null)
    {
        var test = new AnalyzerTest { TestCode = code };
        Prepare(test, settings);
        configure?.Invoke(test);
        return test.RunAsync();
    }

    /// <summary>The fix turns the marked code into other code, in which the rule finds nothing unless it is marked.</summary>
    public static Task FixesAsync<TFix>(string before, string after, string settings = "", Action<CodeFixTest<DefaultVerifier>>? configure = null)
        where TFix : CodeFixProvider, new()
    {
        var test = new FixTest<TFix> { TestCode = before, FixedCode = after };
        Prepare(test, settings);
        test.FixedState.Sources.Add(Code.Usings);
        configure?.Invoke(test);
        return test.RunAsync();
    }

    private static void Prepare(AnalyzerTest<DefaultVerifier> test, string settings)
    {
        test.TestBehaviors = TestBehaviors.SkipGeneratedCodeCheck | TestBehaviors.SkipSuppressionCheck; // each would analyze once more; OddCodeTests has them
        test.ReferenceAssemblies = Code.NoPackages;
        test.TestState.AdditionalReferences.AddRange(Code.References);
        test.TestState.Sources.Add(Code.Usings);
        test.TestState.OutputKind = OutputKind.DynamicallyLinkedLibrary;
        test.MarkupOptions = MarkupOptions.UseFirstDescriptor;
        if (settings.Length > 0) test.TestState.AnalyzerConfigFiles.Add(("/.editorconfig", $"root = true\n[*.cs]\n{settings}\n"));
    }

    private sealed class AnalyzerTest : CSharpAnalyzerTest<TAnalyzer, DefaultVerifier>
    {
        protected override ParseOptions CreateParseOptions() => Code.ParseOptions;

        protected override CompilationOptions CreateCompilationOptions() => Code.Options;
    }

    private sealed class FixTest<TFix> : CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier>
        where TFix : CodeFixProvider, new()
    {
        protected override ParseOptions CreateParseOptions() => Code.ParseOptions;

        protected override CompilationOptions CreateCompilationOptions() => Code.Options;
    }
}
