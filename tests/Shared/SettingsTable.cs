using System.Globalization;
using System.Text.RegularExpressions;

namespace RequestCoalescing;

/// <summary>Checks a table of docs/configuration.md against the options that it describes.</summary>
public sealed partial class SettingsTable
{
    private readonly string _section;
    private readonly Match[] _rows;

    /// <param name="heading">The heading above the table.</param>
    public SettingsTable(string heading)
    {
        _section = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md")).Split($"## {heading}\n")[1].Split("\n## ")[0];
        _rows = [.. Row().Matches(_section).Cast<Match>()];
    }

    /// <summary>The table lists every public setting, except those that the section names as settable in code only, with its default.</summary>
    public void ListsEverySettingOf(object options, params string[] inCodeOnly)
    {
        var actual = options.GetType().GetProperties()
            .Where(property => property.SetMethod is { IsPublic: true } && !inCodeOnly.Contains(property.Name))
            .ToDictionary(property => property.Name, property => TextOf(property.GetValue(options)));
        var documented = _rows.ToDictionary(row => row.Groups["name"].Value, row => row.Groups["default"].Value);
        Assert.Equal(actual.OrderBy(setting => setting.Key, StringComparer.Ordinal), documented.OrderBy(setting => setting.Key, StringComparer.Ordinal));
        Assert.All(inCodeOnly, name => Assert.Contains($"`{name}`", _section, StringComparison.Ordinal));
    }

    /// <summary>An instance accepts the ends of each range, and rejects the values next to them.</summary>
    /// <param name="create">Creates an instance with one setting and its value.</param>
    public void GivesTheRangesOf(Action<string, string> create)
    {
        Assert.NotEmpty(_rows);
        foreach (var row in _rows)
        {
            var name = row.Groups["name"].Value;
            var (inside, outside) = ExamplesOf(row.Groups["range"].Value);
            Assert.All(inside, value => create(name, value));
            Assert.All(outside, value => Assert.Contains(name, Assert.ThrowsAny<Exception>(() => create(name, value)).Message, StringComparison.Ordinal));
        }
    }

    private static (string[] Inside, string[] Outside) ExamplesOf(string range)
    {
        if (range == "text that is not empty and has no braces") return (["a:b"], ["", "a{b", "a}b"]);
        if (range == "any text that is not empty") return (["a"], [""]);
        if (range == "more than zero, up to `MaxDuration`") return (["00:00:00.0000001", "00:00:30"], ["00:00:00", "00:00:30.0000001"]);
        if (Choices().IsMatch(range)) return ([.. range.Split(", ").Select(choice => choice.Trim('`'))], ["neither"]);
        var bounds = Bounds().Match(range);
        Assert.True(bounds.Success, $"The range '{range}' is written in a way that this test does not know.");
        var (from, to) = (bounds.Groups["from"].Value, bounds.Groups["to"].Value);
        if (bounds.Groups["unit"].Success)
        {
            var (least, most) = (DurationOf(from), DurationOf(to));
            return ([$"{least:c}", $"{most:c}"], [$"{least - TimeSpan.FromTicks(1):c}", $"{most + TimeSpan.FromTicks(1):c}"]);
        }

        var number = int.Parse(from, CultureInfo.InvariantCulture);
        return to.Length == 0
            ? ([from, $"{int.MaxValue}"], [$"{number - 1}"])
            : ([from, to], [$"{number - 1}", $"{to}.001"]);
    }

    private static TimeSpan DurationOf(string text)
    {
        var parts = text.Split(' ');
        var count = int.Parse(parts[0], CultureInfo.InvariantCulture);
        return parts[1].TrimEnd('s') switch
        {
            "millisecond" => TimeSpan.FromMilliseconds(count),
            "second" => TimeSpan.FromSeconds(count),
            "minute" => TimeSpan.FromMinutes(count),
            _ => TimeSpan.FromDays(count),
        };
    }

    private static string TextOf(object? value) => value switch
    {
        null => "none",
        int.MaxValue => "no limit",
        TimeSpan time when time == Timeout.InfiniteTimeSpan => "no limit",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    [GeneratedRegex(@"^\| `(?<name>\w+)` \| (?<default>[^|]+?) \| (?<range>[^|]+?) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"^`\w+`(, `\w+`)+$")]
    private static partial Regex Choices();

    [GeneratedRegex(@"^(?<from>\d+(?<unit> (millisecond|second|minute|day)s?)?)( and up| to (?<to>\d+( (millisecond|second|minute|day)s?)?))$")]
    private static partial Regex Bounds();
}
