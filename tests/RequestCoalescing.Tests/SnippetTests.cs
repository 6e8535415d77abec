using System.Net;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Tests;

/// <summary>
/// Every C# block on a page, and every example in the XML documentation, is code that the build compiles. Each equals a snippet: the lines between
/// <c>// &lt;snippet name&gt;</c> and <c>// &lt;/snippet&gt;</c> in a file under <c>tests/</c> or <c>samples/</c>, without their common indentation.
/// </summary>
public sealed partial class SnippetTests
{
    private static readonly string[] s_snippets =
    [
        .. new[] { "tests", "samples" }
            .SelectMany(folder => Files(folder, "*.cs"))
            .SelectMany(file => Snippet().Matches(File.ReadAllText(file)))
            .Select(snippet => WithoutIndentation(snippet.Groups["code"].Value)),
    ];

    private static readonly string[] s_pages = [.. Files(".", "*.md"), .. Files("src", "*.cs")];

    public static TheoryData<string> Pages => [.. s_pages.Where(page => Blocks(page).Any()).Select(page => Path.GetRelativePath(Repository.Root, page))];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_block_of_a_page_is_compiled(string page) => Assert.All(Blocks(page), block =>
    {
        if (s_snippets.Contains(block)) return;
        var alike = s_snippets.FirstOrDefault(snippet => FirstLine(snippet) == FirstLine(block));
        Assert.Equal(alike ?? "a snippet in tests/ or samples/; CONTRIBUTING.md says how to mark one", block);
    });

    [Fact]
    public void Every_snippet_is_on_a_page()
    {
        var blocks = s_pages.SelectMany(Blocks).ToHashSet();
        Assert.DoesNotContain(s_snippets, snippet => !blocks.Contains(snippet));
    }

    /// <summary>Files of the repository, without those that a build makes.</summary>
    internal static IEnumerable<string> Files(string folder, string pattern) => Directory
        .EnumerateFiles(Path.Combine(Repository.Root, folder), pattern, SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(Repository.Root, file).Split('/', '\\').Any(part => part is "bin" or "obj" or "artifacts" or "node_modules"));

    [Fact]
    public void Every_example_has_the_form_that_is_compared() => Assert.All(Files("src", "*.cs"), file =>
    {
        var text = File.ReadAllText(file);
        Assert.Equal(AnyExample().Count(text), Example().Count(text));
    });

    private static IEnumerable<string> Blocks(string page)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, page));
        return page.EndsWith(".md", StringComparison.Ordinal)
            ? Block().Matches(text).Select(block => block.Groups["code"].Value.TrimEnd())
            : Example().Matches(text).Select(example => WebUtility.HtmlDecode(CommentMark().Replace(example.Groups["code"].Value, "").TrimEnd()));
    }

    private static string FirstLine(string code) => code.Split('\n')[0];

    private static string WithoutIndentation(string code)
    {
        var lines = code.TrimEnd().Split('\n');
        var indentation = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length == 0 ? line : line[indentation..]));
    }

    [GeneratedRegex(@"^ *// <snippet [\w-]+>\n(?<code>.*?)^ *// </snippet>", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Snippet();

    [GeneratedRegex(@"^```(?:csharp|cs|c#)[^\n]*\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Block();

    [GeneratedRegex(@"^ */// <code>\n(?<code>.*?)^ */// </code>", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex("^ *///.*<code[ >]", RegexOptions.Multiline)]
    private static partial Regex AnyExample();

    [GeneratedRegex("^ */// ?", RegexOptions.Multiline)]
    private static partial Regex CommentMark();
}
