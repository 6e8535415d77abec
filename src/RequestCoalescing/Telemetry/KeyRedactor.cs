using System.Security.Cryptography;
using System.Text;
using RequestCoalescing.DependencyInjection;

namespace RequestCoalescing.Telemetry;

/// <summary>Makes of a key what logs and the dashboard may show of it.</summary>
internal sealed class KeyRedactor(Func<object, string> textOf, Reloading<TelemetryOptions> options)
{
    private static readonly byte[] s_processSecret = RandomNumberGenerator.GetBytes(32);

    /// <summary>A key as it appears where no options say how.</summary>
    public static string Hash(object key)
    {
        try
        {
            return Hash(KeyText.Of(key), secret: null);
        }
        catch (Exception exception)
        {
            return Unreadable(exception);
        }
    }

    public string Redact(object? key)
    {
        if (key is null) return "(a key whose flight has ended)";
        try
        {
            var current = options.Current;
            var text = textOf(key);
            if (current.KeyRedactor is { } own) return own(text);
            return current.KeyRedaction == KeyRedaction.Plain ? text : Hash(text, current.KeyRedactionSecret);
        }
        catch (Exception exception)
        {
            return Unreadable(exception);
        }
    }

    private static string Unreadable(Exception exception) => $"(a key that threw {exception.GetType().Name})";

    private static string Hash(string text, string? secret)
    {
        var hash = HMACSHA256.HashData(secret is null ? s_processSecret : Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text));
        return $"#{Convert.ToHexStringLower(hash, 0, 8)}";
    }
}
