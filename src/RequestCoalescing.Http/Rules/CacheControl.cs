using System.Net.Http.Headers;

namespace RequestCoalescing.Http.Rules;

/// <summary>Reads the directives of all lines of a <c>Cache-Control</c> header.</summary>
internal static class CacheControl
{
    /// <returns>Null if they cannot be parsed. Then the strictest of them must be assumed.</returns>
    public static CacheControlHeaderValue? Parse(HeaderStringValues lines) => CacheControlHeaderValue.TryParse(string.Join(", ", (IEnumerable<string>)lines), out var value) ? value : null;
}
