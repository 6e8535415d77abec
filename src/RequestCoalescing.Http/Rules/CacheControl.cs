using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Http.Rules;

/// <summary>Reads the directives of all lines of a <c>Cache-Control</c> header.</summary>
internal static partial class CacheControl
{
    /// <returns>Null if they cannot be parsed. Then the strictest of them must be assumed.</returns>
    public static CacheControlHeaderValue? Parse(HeaderStringValues lines)
    {
        // Each line is a list of its own (RFC 9110, 5.3). A quote that one of them leaves open must not hide the directives of the next. The shortest lifetime counts.
        TimeSpan? shortest = null;
        foreach (var line in lines)
        {
            if (!TryParse(line, out var one)) return null;
            if (lines.Count == 1) return one;
            if (shortest is null || one.MaxAge < shortest) shortest = one.MaxAge;
        }

        if (!TryParse(string.Join(", ", (IEnumerable<string>)lines), out var all)) return null;
        all.MaxAge = shortest;
        return all;
    }

    private static bool TryParse(string text, [NotNullWhen(true)] out CacheControlHeaderValue? value)
    {
        if (CacheControlHeaderValue.TryParse(TooLong().Replace(text, "2147483647"), out value) && value is not null) return true;
        value = new CacheControlHeaderValue();
        return string.IsNullOrWhiteSpace(text);
    }

    // Lifetimes that may exceed a number (RFC 9111, 1.2.2).
    [GeneratedRegex(@"(?<=(max-age|s-maxage|max-stale|min-fresh)\s*=\s*)0*[1-9]\d{9,}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex TooLong();
}
