using System.Globalization;

namespace RequestCoalescing.Telemetry;

/// <summary>Puts keys into words: the same words for equal keys in every culture and on every node.</summary>
internal static class KeyText
{
    public static string Of(object key)
    {
        if (CanonicalText.Of(key) is { } canonical) return canonical;
        switch (key)
        {
            case string text: return text;
            case IFormattable formattable: return formattable.ToString(null, CultureInfo.InvariantCulture);
        }

        // Tuples and records format their parts in the thread's culture. The invariant culture is set in an execution context of its own. Setting
        // the thread's culture and restoring it would pin a culture that so far follows the default of the process.
        if (CultureInfo.CurrentCulture == CultureInfo.InvariantCulture || ExecutionContext.Capture() is not { } context) return key.ToString() ?? "";
        var words = "";
        ExecutionContext.Run(
            context,
            _ =>
            {
                CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
                words = key.ToString() ?? "";
            },
            state: null);
        return words;
    }
}
