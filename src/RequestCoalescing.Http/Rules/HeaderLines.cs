using System.Net.Http.Headers;

namespace RequestCoalescing.Http.Rules;

/// <summary>Copies headers as they are.</summary>
internal static class HeaderLines
{
    /// <summary>Adds a header with all its lines. A header that is not allowed here is left out.</summary>
    public static void AddLines(this HttpHeaders headers, string name, HeaderStringValues lines)
    {
        if (lines.Count == 1) headers.TryAddWithoutValidation(name, lines.ToString());
        else headers.TryAddWithoutValidation(name, (IEnumerable<string>)lines);
    }
}
