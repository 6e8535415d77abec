using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace RequestCoalescing.Http.Rules;

/// <summary>Reads the directives of all lines of a <c>Cache-Control</c> header.</summary>
internal static partial class CacheControl
{
    /// <returns>Null if they cannot be parsed. Then the strictest of them must be assumed.</returns>
    public static CacheControlHeaderValue? Parse(HeaderStringValues lines) => CacheControlHeaderValue.TryParse(TooLong().Replace(string.Join(", ", (IEnumerable<string>)lines), "2147483647"), out var value) ? value : null;

    // Lifetimes that may exceed a number (RFC 9111, 1.2.2).
    [GeneratedRegex(@"(?<=(max-age|s-maxage|max-stale|min-fresh)\s*=\s*)0*[1-9]\d{9,}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex TooLong();
}
