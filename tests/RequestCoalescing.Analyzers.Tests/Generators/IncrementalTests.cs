using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Generators;

namespace RequestCoalescing.Analyzers.Tests.Generators;

/// <summary>The generator does its work again only for a declaration that has changed.</summary>
public sealed class IncrementalTests
{
    private const string Declarations = """
        namespace Blog;

        [CoalescingKey]
        public partial record struct PostKey(string Id, int Limit);

        public partial class PostService
        {
            [Coalesce]
            public partial Task<string> GetPostAsync(string id, CancellationToken cancellationToken);

            private Task<string> GetPostCoreAsync(string id, CancellationToken flight) => Task.FromResult(id);
        }

        public interface IPosts
        {
            [Coalesce]
            Task<string> GetPostAsync(string id, CancellationToken cancellationToken);
        }
        """;

    [Theory]
    [InlineData(KeyGenerator.Keys)]
    [InlineData(KeyGenerator.Methods)]
    [InlineData(KeyGenerator.Interfaces)]
    public void An_edit_in_another_file_changes_nothing(string step) => ExpectUnchanged(step, "class Other { int X => 1; }", "class Other { int X => 2; string Y => \"\"; }");

    [Theory]
    [InlineData(KeyGenerator.Keys)]
    [InlineData(KeyGenerator.Methods)]
    [InlineData(KeyGenerator.Interfaces)]
    public void An_edit_that_moves_the_declarations_changes_nothing(string step)
    {
        var compilation = Run.Compile(Declarations);
        var driver = Run.Driver().RunGenerators(compilation, TestContext.Current.CancellationToken);
        var moved = compilation.ReplaceSyntaxTree(compilation.SyntaxTrees[0], Run.Parse("// A new line.\n" + Declarations.Replace("Task.FromResult(id)", "Task.FromResult(id + id)", StringComparison.Ordinal)));
        AssertUnchanged(driver.RunGenerators(moved, TestContext.Current.CancellationToken), step);
    }

    [Theory]
    [InlineData(KeyGenerator.Keys, "int Limit", "long Limit")]
    [InlineData(KeyGenerator.Methods, "GetPostAsync(string id, CancellationToken cancellationToken);\n\n    private", "GetPostAsync(string id, CancellationToken token);\n\n    private")]
    [InlineData(KeyGenerator.Interfaces, "public interface", "internal interface")]
    public void An_edit_of_a_declaration_changes_its_code_alone(string step, string before, string after)
    {
        Assert.Contains(before, Declarations, StringComparison.Ordinal);
        var compilation = Run.Compile(Declarations);
        var driver = Run.Driver().RunGenerators(compilation, TestContext.Current.CancellationToken);
        driver = driver.RunGenerators(compilation.ReplaceSyntaxTree(compilation.SyntaxTrees[0], Run.Parse(Declarations.Replace(before, after, StringComparison.Ordinal))), TestContext.Current.CancellationToken);
        foreach (var other in new[] { KeyGenerator.Keys, KeyGenerator.Methods, KeyGenerator.Interfaces })
        {
            if (other != step) AssertUnchanged(driver, other, withOutputs: false);
            else Assert.Contains(IncrementalStepRunReason.Modified, ReasonsOf(driver, other));
        }
    }

    [Fact]
    public void Models_hold_no_symbols_and_no_syntax()
    {
        var result = Run.Driver().RunGenerators(Run.Compile(Declarations), TestContext.Current.CancellationToken).GetRunResult().Results.Single();
        foreach (var step in new[] { KeyGenerator.Keys, KeyGenerator.Methods, KeyGenerator.Interfaces })
        {
            var model = result.TrackedSteps[step].Single().Outputs.Single().Value;
            Look(model, depth: 0);
        }

        static void Look(object? value, int depth)
        {
            Assert.True(depth < 10);
            Assert.False(value is ISymbol or SyntaxNode or SyntaxTree or Compilation or SemanticModel or Location, $"{value?.GetType()}");
            if (value is null or string || value.GetType().IsPrimitive || value.GetType().IsEnum) return;
            if (value is System.Collections.IEnumerable items)
            {
                foreach (var item in items) Look(item, depth + 1);
                return;
            }

            foreach (var field in value.GetType().GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public)) Look(field.GetValue(value), depth + 1);
        }
    }

    private static void ExpectUnchanged(string step, string before, string after)
    {
        var compilation = Run.Compile(Declarations, before);
        var driver = Run.Driver().RunGenerators(compilation, TestContext.Current.CancellationToken);
        AssertUnchanged(driver.RunGenerators(compilation.ReplaceSyntaxTree(compilation.SyntaxTrees[1], Run.Parse(after, "Source1.cs")), TestContext.Current.CancellationToken), step);
    }

    private static void AssertUnchanged(GeneratorDriver driver, string step, bool withOutputs = true)
    {
        Assert.All(ReasonsOf(driver, step), reason => Assert.True(reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"{step}: {reason}"));
        if (!withOutputs) return;
        var outputs = driver.GetRunResult().Results.Single().TrackedOutputSteps.SelectMany(output => output.Value).SelectMany(output => output.Outputs).ToList();
        Assert.Equal(3, outputs.Count);
        Assert.All(outputs, output => Assert.Equal(IncrementalStepRunReason.Cached, output.Reason));
    }

    private static List<IncrementalStepRunReason> ReasonsOf(GeneratorDriver driver, string step)
    {
        var reasons = driver.GetRunResult().Results.Single().TrackedSteps[step].SelectMany(run => run.Outputs).Select(output => output.Reason).ToList();
        Assert.NotEmpty(reasons);
        return reasons;
    }
}
