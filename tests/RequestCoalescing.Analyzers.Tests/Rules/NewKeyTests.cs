using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RequestCoalescing.CodeFixes.Rules;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>A key that gets one more part, where the marks of other tests cannot stand in the code.</summary>
public sealed class NewKeyTests
{
    [Fact]
    public async Task The_fix_writes_as_many_braces_as_a_raw_text_needs()
    {
        var tree = CSharpSyntaxTree.ParseText("class C { object M(string id, int limit) => $$\"\"\"{post}:{{id}}\"\"\"; }", Code.ParseOptions);
        var root = await tree.GetRootAsync(TestContext.Current.CancellationToken);
        var key = root.DescendantNodes().OfType<InterpolatedStringExpressionSyntax>().Single();
        var change = NewKey.WithText(key, SyntaxFactory.IdentifierName("limit"));
        Assert.Equal("$$\"\"\"{post}:{{id}}:{{limit}}\"\"\"", change.ToString());
    }
}
