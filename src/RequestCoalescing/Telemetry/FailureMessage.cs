using System.Text.RegularExpressions;

namespace RequestCoalescing.Telemetry;

/// <summary>Takes from an exception's message the part that the live page may show.</summary>
internal static partial class FailureMessage
{
    private const int MaxLength = 200;
    private const int DistinctLength = 3; // a shorter word is replaced only where it stands as a whole word, because any longer word may contain it by chance

    /// <summary>Returns the innermost exception.</summary>
    public static Exception CauseOf(Exception error)
    {
        try
        {
            return error.GetBaseException();
        }
        catch (Exception)
        {
            return error; // the application may override GetBaseException, and the override may throw
        }
    }

    /// <summary>Returns the first line of the message, with an ellipsis in place of each word of the key.</summary>
    /// <param name="error">The exception.</param>
    /// <param name="key">The text of the key. Null if keys are shown in plain text.</param>
    public static string? Of(Exception error, string? key)
    {
        // The own message of a timeout has the key and the age, which differ from flight to flight.
        if (error is FlightTimeoutException timeout) return FormattableString.Invariant($"The work did not end within {nameof(SingleflightOptions.MaxDuration)} ({timeout.MaxDuration}).");
        try
        {
            var line = error.Message.AsSpan().Trim();
            var end = line.IndexOfAny('\r', '\n');
            if (end >= 0) line = line[..end].TrimEnd();
            var text = line.ToString();
            foreach (var word in Word().Matches(key ?? "").Select(match => match.Value).Distinct().OrderByDescending(word => word.Length)) text = Without(text, word);
            return text.Length == 0 ? null : text.Length <= MaxLength ? text : $"{text.AsSpan(0, MaxLength - 1)}…";
        }
        catch (Exception)
        {
            return null; // the application may override Message, and the override may throw
        }
    }

    private static string Without(string text, string word) => word.Length >= DistinctLength
        ? text.Replace(word, "…", StringComparison.OrdinalIgnoreCase)
        : Word().Replace(text, match => match.Value.Equals(word, StringComparison.OrdinalIgnoreCase) ? "…" : match.Value);

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();
}
