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

        // Tuples and records format their parts in the culture of the thread.
        var culture = CultureInfo.CurrentCulture;
        if (culture == CultureInfo.InvariantCulture) return key.ToString() ?? "";
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
            return key.ToString() ?? "";
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }
}
