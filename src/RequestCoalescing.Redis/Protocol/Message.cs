using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>What one node tells all. A hint: who misses it finds out by looking.</summary>
/// <remarks>On the wire: version, kind, token (8 bytes), length of the key (4 bytes), key, payload; numbers little-endian.</remarks>
internal readonly record struct Message(MessageKind Kind, long Token, string Key, ReadOnlyMemory<byte> Payload)
{
    private const byte Version = 1;
    private const int HeaderLength = 14;

    public byte[] ToBytes()
    {
        var keyLength = Encoding.UTF8.GetByteCount(Key);
        var bytes = new byte[HeaderLength + keyLength + Payload.Length];
        bytes[0] = Version;
        bytes[1] = (byte)Kind;
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(2), Token);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(10), keyLength);
        Encoding.UTF8.GetBytes(Key, bytes.AsSpan(HeaderLength));
        Payload.Span.CopyTo(bytes.AsSpan(HeaderLength + keyLength));
        return bytes;
    }

    /// <summary>Who forgot the key, and the token that all before it are forgotten by; null if the message does not say.</summary>
    public (string Node, long Token)? ReadForgotten()
    {
        const int NodeLength = 32;
        var text = Encoding.ASCII.GetString(Payload.Span);
        return text.Length > NodeLength && long.TryParse(text.AsSpan(NodeLength), NumberStyles.None, CultureInfo.InvariantCulture, out var token)
            ? (text[..NodeLength], token)
            : null;
    }

    /// <summary>Reads a message; null if it is none, or of a version that is not known here.</summary>
    public static Message? Parse(byte[]? bytes)
    {
        if (bytes is null || bytes.Length < HeaderLength || bytes[0] != Version) return null;
        var keyLength = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(10));
        if (keyLength < 0 || keyLength > bytes.Length - HeaderLength) return null;
        return new Message(
            (MessageKind)bytes[1],
            BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(2)),
            Encoding.UTF8.GetString(bytes, HeaderLength, keyLength),
            bytes.AsMemory(HeaderLength + keyLength));
    }
}
