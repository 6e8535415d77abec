using System.Reflection;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Testing.Tests;

/// <summary>The C# of <c>docs/testing.md</c> is that of files which the build compiles and the tests run.</summary>
public sealed partial class SnippetTests
{
    private static readonly string s_root = typeof(SnippetTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "Root").Value!;

    private static readonly string s_page = File.ReadAllText(Path.Combine(s_root, "docs", "testing.md"));

    public static TheoryData<string> Names => [.. Snippet().Matches(s_page).Select(snippet => snippet.Groups["source"].Value)];

    [Fact]
    public void Every_block_of_code_names_its_source() =>
        Assert.Equal(s_page.Split("```csharp").Length - 1, Names.Count);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_block_of_code_equals_its_source(string source)
    {
        var (file, name) = (source.Split('#')[0], source.Split('#')[1]);
        var lines = File.ReadAllText(Path.Combine(s_root, "tests", file)).Split($"// <{name}>\n")[1].Split($"// </{name}>")[0].TrimEnd().Split('\n');
        var indent = lines[0].Length - lines[0].TrimStart().Length;
        var expected = string.Join('\n', lines.Select(line => line.Length > indent ? line[indent..] : ""));
        Assert.Equal(expected, Snippet().Matches(s_page).Single(snippet => snippet.Groups["source"].Value == source).Groups["code"].Value);
    }

    [GeneratedRegex(@"<!-- from (?<source>\S+) -->\n```csharp\n(?<code>.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Snippet();
}
