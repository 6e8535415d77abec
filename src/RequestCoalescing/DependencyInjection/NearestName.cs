namespace RequestCoalescing.DependencyInjection;

/// <summary>Finds the name that somebody meant.</summary>
internal static class NearestName
{
    /// <summary>The name with the fewest letters to be inserted, left out or replaced; null if there is no name.</summary>
    public static string? To(string typed, IEnumerable<string> names) => names.MinBy(name => Distance(typed.ToUpperInvariant(), name.ToUpperInvariant()));

    // Levenshtein's, row by row.
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
