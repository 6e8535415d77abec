using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace RequestCoalescing;

/// <summary>
/// Writes the text of a generated key: its name, and its parts in brackets with commas between them. It writes either characters or UTF-8, and both are
/// the same text. Generated code calls it.
/// </summary>
public ref struct KeyWriter
{
    private const int StackLimit = 256;
    private const char Null = '~';

    // Characters that a text cannot contain as they are: those of the syntax, control characters, and halves of surrogate pairs.
    private static readonly SearchValues<char> s_special = SearchValues.Create(
        [.. @"(),~\", .. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Concat(Enumerable.Range(0xD800, 0x800)).Select(code => (char)code)]);

    private readonly Span<char> _chars;
    private readonly Span<byte> _bytes;
    private readonly bool _isUtf8;
    private int _written;
    private bool _isFull;
    private bool _needsComma;

    private KeyWriter(Span<char> chars) => _chars = chars;

    private KeyWriter(Span<byte> bytes)
    {
        _bytes = bytes;
        _isUtf8 = true;
    }

    /// <summary>Returns the text of a key.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="key">The key.</param>
    /// <returns>The text.</returns>
    public static string ToString<TKey>(in TKey key)
        where TKey : ICoalescingKey
    {
        Span<char> small = stackalloc char[StackLimit];
        if (TryFormat(key, small, out var length)) return new string(small[..length]);
        for (var size = StackLimit * 4; ; size *= 2)
        {
            var rented = ArrayPool<char>.Shared.Rent(size);
            var fits = TryFormat(key, rented, out length);
            var text = fits ? new string(rented, 0, length) : null;
            ArrayPool<char>.Shared.Return(rented, clearArray: true); // a key may contain personal data
            if (text is not null) return text;
        }
    }

    /// <summary>Writes the text of a key into a span, without allocating.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="destination">Gets the text.</param>
    /// <param name="charsWritten">The length of the text, or zero if it does not fit.</param>
    /// <returns>Whether the text fits.</returns>
    public static bool TryFormat<TKey>(in TKey key, Span<char> destination, out int charsWritten)
        where TKey : ICoalescingKey
    {
        var writer = new KeyWriter(destination);
        key.WriteTo(ref writer);
        return writer.TryFinish(out charsWritten);
    }

    /// <summary>Writes the text of a key into a span as UTF-8, without allocating.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="utf8Destination">Gets the text.</param>
    /// <param name="bytesWritten">The number of bytes, or zero if the text does not fit.</param>
    /// <returns>Whether the text fits.</returns>
    public static bool TryFormat<TKey>(in TKey key, Span<byte> utf8Destination, out int bytesWritten)
        where TKey : ICoalescingKey
    {
        var writer = new KeyWriter(utf8Destination);
        key.WriteTo(ref writer);
        return writer.TryFinish(out bytesWritten);
    }

    /// <summary>Begins a key.</summary>
    /// <param name="name">Its name, of letters, digits and <c>. - _ : /</c>.</param>
    public void Begin(string name)
    {
        Put(name);
        Put('(');
        _needsComma = false;
    }

    /// <summary>Ends a key.</summary>
    public void End()
    {
        Put(')');
        _needsComma = true;
    }

    /// <summary>Writes a part that is null.</summary>
    public void AddNull()
    {
        Separate();
        Put(Null);
    }

    /// <summary>Writes a part that is a key itself.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="part">The key.</param>
    public void AddKey<TKey>(in TKey part)
        where TKey : ICoalescingKey
    {
        Separate();
        part.WriteTo(ref this);
    }

    /// <summary>Writes a part: a text in which the characters of the syntax, control characters and lone surrogates are escaped; null is not the empty text.</summary>
    /// <param name="part">The part.</param>
    public void Add(string? part)
    {
        if (part is null)
        {
            AddNull();
            return;
        }

        Separate();
        Escape(part);
    }

    /// <summary>Writes a part: a text of one character.</summary>
    /// <param name="part">The part.</param>
    public void Add(char part)
    {
        Separate();
        Escape([part]);
    }

    /// <summary>Writes a part: <c>true</c> or <c>false</c>.</summary>
    /// <param name="part">The part.</param>
    public void Add(bool part)
    {
        Separate();
        Put(part ? "true" : "false");
    }

    /// <summary>Writes a part: a whole number in decimal digits.</summary>
    /// <typeparam name="T">The type of the number.</typeparam>
    /// <param name="part">The part.</param>
    public void Add<T>(T part)
        where T : struct, IBinaryInteger<T> => AddFormatted(part, default);

    /// <summary>Writes a part: the shortest digits that read back as the same number. Zero has no sign, and every NaN is <c>NaN</c>, because they are equal.</summary>
    /// <param name="part">The part.</param>
    public void Add(double part) => AddFormatted(part == 0 ? 0 : part, "R");

    /// <inheritdoc cref="Add(double)"/>
    public void Add(float part) => AddFormatted(part == 0 ? 0 : part, "R");

    /// <inheritdoc cref="Add(double)"/>
    public void Add(Half part) => AddFormatted(part == Half.Zero ? Half.Zero : part, "R");

    /// <summary>Writes a part: a number without trailing zeros, because 1.0 equals 1.00.</summary>
    /// <param name="part">The part.</param>
    public void Add(decimal part) => AddFormatted(part == 0 ? 0 : part, "G29");

    /// <summary>Writes a part: 32 digits in five groups.</summary>
    /// <param name="part">The part.</param>
    public void Add(Guid part) => AddFormatted(part, "D");

    /// <summary>Writes a part, such as <c>2026-01-31</c>.</summary>
    /// <param name="part">The part.</param>
    public void Add(DateOnly part) => AddFormatted(part, "O");

    /// <summary>Writes a part, such as <c>13:45:30.0000000</c>.</summary>
    /// <param name="part">The part.</param>
    public void Add(TimeOnly part) => AddFormatted(part, "O");

    /// <summary>Writes a part, such as <c>1.13:45:30</c>.</summary>
    /// <param name="part">The part.</param>
    public void Add(TimeSpan part) => AddFormatted(part, "c");

    /// <summary>Writes a part: the date and time as they are, and <c>Z</c> for UTC, <c>L</c> for local time or nothing.</summary>
    /// <param name="part">The part.</param>
    public void Add(DateTime part)
    {
        AddFormatted(DateTime.SpecifyKind(part, DateTimeKind.Unspecified), "O");
        if (part.Kind != DateTimeKind.Unspecified) Put(part.Kind == DateTimeKind.Utc ? 'Z' : 'L');
    }

    /// <summary>Writes a part: the date and time as they are, and the offset.</summary>
    /// <param name="part">The part.</param>
    public void Add(DateTimeOffset part) => AddFormatted(part, "O");

    private readonly bool TryFinish(out int written)
    {
        written = _isFull ? 0 : _written;
        return !_isFull;
    }

    private void Separate()
    {
        if (_needsComma) Put(',');
        _needsComma = true;
    }

    private void AddFormatted<T>(T part, scoped ReadOnlySpan<char> format)
        where T : struct, ISpanFormattable, IUtf8SpanFormattable
    {
        Separate();
        if (_isFull) return;
        var fits = _isUtf8
            ? part.TryFormat(_bytes[_written..], out var written, format, CultureInfo.InvariantCulture)
            : part.TryFormat(_chars[_written..], out written, format, CultureInfo.InvariantCulture);
        Advance(fits, written);
    }

    private void Escape(scoped ReadOnlySpan<char> text)
    {
        while (text.IndexOfAny(s_special) is >= 0 and var at)
        {
            Put(text[..at]);
            var length = at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
            if (length == 2) Put(text.Slice(at, length));
            else EscapeOne(text[at]);
            text = text[(at + length)..];
        }

        Put(text);
    }

    private void EscapeOne(char character)
    {
        Put('\\');
        if (character is '(' or ')' or ',' or Null or '\\')
        {
            Put(character);
            return;
        }

        const string Digits = "0123456789abcdef";
        Put(['u', Digits[character >> 12], Digits[(character >> 8) & 15], Digits[(character >> 4) & 15], Digits[character & 15]]);
    }

    private void Put(char character) => Put([character]);

    private void Put(scoped ReadOnlySpan<char> text)
    {
        if (_isFull) return;
        if (_isUtf8)
        {
            Advance(Encoding.UTF8.TryGetBytes(text, _bytes[_written..], out var written), written);
            return;
        }

        Advance(text.TryCopyTo(_chars[_written..]), text.Length);
    }

    private void Advance(bool fits, int written)
    {
        if (fits) _written += written;
        else _isFull = true;
    }
}
