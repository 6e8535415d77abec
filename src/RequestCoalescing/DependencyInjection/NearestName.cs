namespace RequestCoalescing.DependencyInjection;

/// <summary>Finds the name that a mistyped one was probably meant to be.</summary>
internal static class NearestName
{
    /// <summary>Returns the name with the smallest edit distance, or null if there are no names.</summary>
    public static string? To(string typed, IEnumerable<string> names) => names.MinBy(name => Distance(typed.ToUpperInvariant(), name.ToUpperInvariant()));

    // The Levenshtein distance, computed row by row.
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
