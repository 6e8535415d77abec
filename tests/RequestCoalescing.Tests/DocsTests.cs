using System.Globalization;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Tests;

/// <summary>Checks that the guides are true, as far as a test can.</summary>
public sealed partial class DocsTests
{
    private static readonly string s_root = ConventionTests.Root;

    [Theory]
    [InlineData("Limits", typeof(SingleflightOptions), "TimeProvider Name IsReported")]
    [InlineData("Rollout", typeof(RolloutOptions), "")]
    [InlineData("Verification", typeof(VerificationOptions), "Comparer Mismatched")]
    [InlineData("Telemetry", typeof(TelemetryOptions), "KeyRedactor")]
    public void The_configuration_reference_lists_every_setting_with_its_default(string heading, Type options, string inCodeOnly)
    {
        var text = File.ReadAllText(Path.Combine(s_root, "docs", "configuration.md"));
        var section = text.Split($"## {heading}\n")[1].Split("\n## ")[0];
        var documented = Row().Matches(section).ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value);
        var defaults = Activator.CreateInstance(options);
        var actual = options.GetProperties()
            .Where(property => property.SetMethod is { IsPublic: true } && !inCodeOnly.Split(' ').Contains(property.Name))
            .ToDictionary(property => property.Name, property => TextOf(property.GetValue(defaults)));
        Assert.Equal(actual.OrderBy(setting => setting.Key, StringComparer.Ordinal), documented.OrderBy(setting => setting.Key, StringComparer.Ordinal));
        Assert.All(inCodeOnly.Split(' ', StringSplitOptions.RemoveEmptyEntries), name => Assert.Contains($"`{name}`", section, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_link_between_the_pages_has_a_target()
    {
        var pages = Directory.GetFiles(s_root, "*.md").Concat(Directory.GetFiles(Path.Combine(s_root, "docs"), "*.md")).Concat(Directory.GetFiles(Path.Combine(s_root, "src"), "*.md", SearchOption.AllDirectories));
        var broken = pages.SelectMany(page => Link().Matches(File.ReadAllText(page))
            .Select(link => link.Groups[1].Value.Split('#')[0])
            .Where(target => target.Length > 0 && !target.Contains("://", StringComparison.Ordinal))
            .Where(target => !Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, Uri.UnescapeDataString(target))))
            .Select(target => $"{Path.GetFileName(page)}: {target}"));
        Assert.Empty(broken);
    }

    private static string TextOf(object? value) => value switch
    {
        null => "none",
        int.MaxValue => "no limit",
        TimeSpan time when time == Timeout.InfiniteTimeSpan => "no limit",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    [GeneratedRegex(@"^\| `(\w+)` \| ([^|]+?) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
