using System.Text.RegularExpressions;

namespace RequestCoalescing.Telemetry;

/// <summary>What the live page may show of an exception's message.</summary>
internal static partial class FailureMessage
{
    private const int MaxLength = 200;
    private const int DistinctLength = 3; // a shorter word of a key is a word of its own in the message, or it is chance

    /// <summary>The innermost exception.</summary>
    public static Exception CauseOf(Exception error)
    {
        try
        {
            return error.GetBaseException();
        }
        catch (Exception)
        {
            return error; // that member, too, may be the application's
        }
    }

    /// <summary>The first line of the message, without the words of a key.</summary>
    /// <param name="error">The exception.</param>
    /// <param name="key">The text of the key that must not be seen; null if it may be seen.</param>
    public static string? Of(Exception error, string? key)
    {
        switch (error)
        {
            case FlightTimeoutException timeout: return FormattableString.Invariant($"The work did not end within {nameof(SingleflightOptions.MaxDuration)} ({timeout.MaxDuration}).");
            case FlightDeadlockException: return null; // it names the keys of several flights
        }

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
            return null; // a message that throws
        }
    }

    private static string Without(string text, string word) => word.Length >= DistinctLength
        ? text.Replace(word, "…", StringComparison.OrdinalIgnoreCase)
        : Word().Replace(text, match => match.Value.Equals(word, StringComparison.OrdinalIgnoreCase) ? "…" : match.Value);

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();
}
