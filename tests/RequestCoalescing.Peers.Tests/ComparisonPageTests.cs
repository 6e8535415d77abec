using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace RequestCoalescing.Peers.Tests;

/// <summary>The claims of docs/comparison.md have tests that show them.</summary>
public sealed partial class ComparisonPageTests
{
    private const string None = "—";

    // The columns of the table after the first, as test names begin.
    private static readonly string[] s_columns = ["Singleflight", "HybridCache", "FusionCache", "LazyTasks"];

    private static readonly string s_page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "comparison.md"));

    private static readonly ILookup<string, string> s_tests = typeof(ComparisonPageTests).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods().Where(method => method.IsDefined(typeof(FactAttribute), inherit: true))
            .Select(method => (Class: type.Name, method.Name)))
        .ToLookup(test => test.Class, test => test.Name);

    public static TheoryData<string> Rows => [.. Row().Matches(s_page).Select(row => row.Groups["tests"].Value)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Each_cell_of_a_row_has_a_test(string tests)
    {
        var cells = Row().Matches(s_page).Single(row => row.Groups["tests"].Value == tests).Value.Split('|')[2..^2];
        Assert.Equal(s_columns.Length, cells.Length);
        foreach (var (column, cell) in s_columns.Zip(cells))
        {
            var shown = s_tests[tests].Any(name => name.StartsWith(column + "_", StringComparison.Ordinal));
            Assert.True(shown != cell.Trim().StartsWith(None, StringComparison.Ordinal), $"{tests}, {column}: the cell says '{cell.Trim()}', and there is {(shown ? "a" : "no")} test.");
        }
    }

    [Fact]
    public void Each_row_of_the_table_links_to_its_tests()
    {
        var lines = s_page.Split("\n## ").Single(section => section.StartsWith("Behaviour by behaviour", StringComparison.Ordinal)).Split('\n');
        Assert.Equal(lines.Count(line => line.StartsWith('|')) - 2, Rows.Count); // without the two lines of the header
    }

    [Fact]
    public void Each_class_of_tests_is_on_the_page() =>
        Assert.All(s_tests.Select(test => test.Key), name => Assert.Contains($"/{name}.cs)", s_page, StringComparison.Ordinal));

    [Fact]
    public void Each_test_that_the_page_names_exists()
    {
        var named = TestName().Matches(s_page).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, s_tests.SelectMany(test => test)));
    }

    [Fact]
    public void The_page_names_the_versions_that_the_tests_run()
    {
        var versions = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .ToDictionary(package => (string)package.Attribute("Include")!, package => (string)package.Attribute("Version")!);
        foreach (var package in new[] { "Microsoft.Extensions.Caching.Hybrid", "ZiggyCreatures.FusionCache" })
        {
            Assert.Contains($"`{package}` {versions[package]}", s_page, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex(@"^\|.*\| \[(?<tests>\w+)\]\(\.\./tests/RequestCoalescing\.Peers\.Tests/\k<tests>\.cs\) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`([A-Za-z]+_\w+)`")]
    private static partial Regex TestName();
}
