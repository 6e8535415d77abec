using System.Security.Cryptography;
using System.Text;
using RequestCoalescing.DependencyInjection;

namespace RequestCoalescing.Telemetry;

/// <summary>Makes of a key what logs and the dashboard may show of it.</summary>
internal sealed class KeyRedactor(Func<object, string> textOf, Reloading<TelemetryOptions> options)
{
    private static readonly byte[] s_processSecret = RandomNumberGenerator.GetBytes(32);

    public string Redact(object? key) => key is null ? "(a key whose flight has ended)" : Guarded(() =>
    {
        var current = options.Current;
        var text = textOf(key);
        if (current.KeyRedactor is { } own) return own(text);
        return current.KeyRedaction == KeyRedaction.Plain ? text : Hash(text, current.KeyRedactionSecret);
    });

    /// <summary>Returns the part of a failure's message that may be shown. It does not contain the key, unless keys are shown in plain text.</summary>
    public string? Message(Exception error, object? key)
    {
        var current = options.Current;
        if (current is { KeyRedactor: null, KeyRedaction: KeyRedaction.Plain }) return FailureMessage.Of(error, key: null);
        try
        {
            return key is null ? null : FailureMessage.Of(error, textOf(key));
        }
        catch (Exception)
        {
            return null; // the key has no text, so that it cannot be found in the message
        }
    }

    /// <summary>Hashes a key of an engine that has no telemetry options.</summary>
    public static string HashByProcess(object key) => Guarded(() => Hash(KeyText.Of(key), secret: null));

    private static string Guarded(Func<string> redact)
    {
        try
        {
            return redact();
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
