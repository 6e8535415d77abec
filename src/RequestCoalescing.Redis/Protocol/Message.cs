using System.Buffers.Text;
using System.Text;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>A message to a node. It is a hint: a node that misses it finds out when it looks (point 6 of the protocol). See <see cref="Scripts"/> for its form.</summary>
/// <param name="Kind">The kind of event.</param>
/// <param name="Key">The text of the key.</param>
/// <param name="Token">The token of the outcome; or of a forget, which concerns all flights with smaller tokens.</param>
/// <param name="Landed">When the flight has landed: the server's time, in microseconds.</param>
/// <param name="Rest">The outcome, or the node that has forgotten.</param>
internal readonly record struct Message(MessageKind Kind, string Key, long Token, long Landed, ReadOnlyMemory<byte> Rest)
{
    private const byte Version = (byte)'1';

    /// <summary>The message that a node sends to itself.</summary>
    public static byte[] Echo(long number) => Encoding.ASCII.GetBytes($"1E0:{number}|");

    /// <summary>The node that has forgotten.</summary>
    public string Node => Encoding.ASCII.GetString(Rest.Span);

    /// <summary>Reads a message; null if it has another form, or a version that is not known here.</summary>
    public static Message? Parse(byte[]? bytes)
    {
        if (bytes is null || bytes.Length < 4 || bytes[0] != Version) return null;
        var rest = bytes.AsMemory(2);
        if (ReadNumber(ref rest, (byte)':') is not { } length || length > rest.Length) return null;
        var key = Encoding.UTF8.GetString(rest.Span[..(int)length]);
        rest = rest[(int)length..];
        var kind = (MessageKind)bytes[1];
        var token = kind == MessageKind.Abandoned ? 0 : ReadNumber(ref rest, (byte)'|');
        var landed = kind is MessageKind.Landed or MessageKind.LandedWithOutcome ? ReadNumber(ref rest, (byte)'|') : 0;
        return token is null || landed is null ? null : new Message(kind, key, token.Value, landed.Value, rest);
    }

    /// <summary>Removes a number and its end mark from the beginning of a text; null if the text does not begin with one.</summary>
    public static long? ReadNumber(ref Memory<byte> text, byte end)
    {
        if (!Utf8Parser.TryParse(text.Span, out long number, out var length) || number < 0 || length == text.Length || text.Span[length] != end) return null;
        text = text[(length + 1)..];
        return number;
    }
}
