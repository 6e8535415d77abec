using System.Text;
using CsCheck;

namespace RequestCoalescing.Keys.Tests;

/// <summary>Random keys have the same text if, and only if, they are equal.</summary>
public sealed class TextPropertyTests
{
    // Characters that mean something in a text, and some that do not; so few that keys are often equal.
    private static readonly Gen<char> s_character = Gen.OneOf('(', ')', ',', '~', '\\', 'u', '0', '\0', '\n', 'é', '\ud83d', '\ude00');
    private static readonly Gen<string?> s_text = Gen.Frequency((1, Gen.Const((string?)null)), (5, s_character.Array[0, 4].Select(characters => (string?)new string(characters))));
    private static readonly Gen<TextsKey> s_texts = Gen.Select(s_text, s_text, s_character, (a, b, c) => new TextsKey(a, b, c));
    private static readonly Gen<PostKey> s_post = Gen.Select(s_text, Gen.Int[-1, 1], (id, limit) => new PostKey(id!, limit));

    private static readonly Gen<DateTime> s_time = Gen.Select(Gen.Long[0, 2], Gen.Enum<DateTimeKind>(), (ticks, kind) => new DateTime(ticks, kind));
    private static readonly Gen<DateTimeOffset> s_offset = Gen.Select(Gen.Long[0, 1], Gen.Int[0, 1], (ticks, hours) => new DateTimeOffset(ticks + (hours * TimeSpan.TicksPerHour), TimeSpan.FromHours(hours)));

    private static readonly Gen<MissingKey> s_missing = Gen.Select(
        Gen.Int[0, 1].Nullable(),
        Gen.Enum<Color>().Nullable(),
        s_time.Nullable(),
        s_offset.Nullable(),
        s_post.Nullable(),
        s_post,
        (a, b, c, d, e, f) => new MissingKey(a, b, c, d, e, f));

    private static readonly Gen<decimal> s_decimal = Gen.Select(Gen.Int[-20, 20], Gen.Byte[0, 3], (value, scale) => new decimal(Math.Abs(value), 0, 0, value < 0, scale));
    private static readonly Gen<double> s_double = Gen.OneOf(Gen.OneOf(0.0, -0.0, double.NaN, -double.NaN, double.PositiveInfinity, double.Epsilon), Gen.Double);
    private static readonly Gen<NumbersKey> s_numbers = Gen.Select(s_decimal, s_double, Gen.Single, (t, q, r) => new NumbersKey { Q = q, R = r, S = (Half)r, T = t });
    private static readonly Gen<NumbersKey> s_few = Gen.Select(s_decimal, s_decimal, (q, t) => new NumbersKey { Q = (double)q, R = (float)t, T = t });

    [Fact]
    public void Keys_of_texts() => HaveTheSameTextIfTheyAreEqual(s_texts, iterations: 50_000);

    [Fact]
    public void Keys_of_keys_and_of_parts_that_may_be_missing() => HaveTheSameTextIfTheyAreEqual(s_missing, iterations: 60_000, areOftenEqual: false);

    [Fact]
    public void Keys_of_numbers()
    {
        HaveTheSameTextIfTheyAreEqual(s_few, iterations: 50_000);
        HaveTheSameTextIfTheyAreEqual(s_numbers, iterations: 50_000, areOftenEqual: false);
    }

    [Fact]
    public void A_text_can_be_read_back() => s_texts.Sample(key => Assert.Equal(key, Read(key.ToString())), iter: 30_000);

    [Fact]
    public void A_number_can_be_read_back() => s_numbers.Sample(
        key =>
        {
            var parts = key.ToString().Split('(', ')')[1].Split(',');
            var culture = System.Globalization.CultureInfo.InvariantCulture;
            Assert.Equal(key, new NumbersKey { Q = double.Parse(parts[16], culture), R = float.Parse(parts[17], culture), S = Half.Parse(parts[18], culture), T = decimal.Parse(parts[19], System.Globalization.NumberStyles.Float, culture) });
        },
        iter: 30_000);

    [Fact]
    public void UTF8_is_that_of_the_text_and_a_short_span_is_refused() => Gen.Select(s_missing, Gen.Double.Unit).Sample(
        (key, share) =>
        {
            var text = key.ToString();
            var expected = new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text);
            Span<byte> bytes = stackalloc byte[512];
            Span<char> chars = stackalloc char[512];
            Assert.True(key.TryFormat(bytes[..expected.Length], out var bytesWritten));
            Assert.True(bytes[..bytesWritten].SequenceEqual(expected));
            Assert.True(key.TryFormat(chars[..text.Length], out var charsWritten));
            Assert.True(chars[..charsWritten].SequenceEqual(text));
            Assert.False(key.TryFormat(bytes[..(int)(share * (expected.Length - 1))], out bytesWritten));
            Assert.False(key.TryFormat(chars[..(int)(share * (text.Length - 1))], out charsWritten));
            Assert.Equal((0, 0), (bytesWritten, charsWritten));
        },
        iter: 30_000);

    private static void HaveTheSameTextIfTheyAreEqual<TKey>(Gen<TKey> keys, long iterations, bool areOftenEqual = true)
        where TKey : struct, IEquatable<TKey>
    {
        var equal = 0;
        Gen.Select(keys, keys).Sample(
            (one, other) =>
            {
                Assert.Equal(one.Equals(other), one.ToString() == other.ToString());
                if (!one.Equals(other)) return;
                Assert.Equal(one.GetHashCode(), other.GetHashCode());
                Interlocked.Increment(ref equal);
            },
            iter: iterations);
        if (areOftenEqual) Assert.NotEqual(0, equal);
    }

    /// <summary>Reads a key by the grammar of docs/keys.md.</summary>
    private static TextsKey Read(string text)
    {
        Assert.StartsWith("TextsKey(", text, StringComparison.Ordinal);
        List<string?> parts = [];
        var part = new StringBuilder();
        var isNull = false;
        for (var i = "TextsKey(".Length; ; i++)
        {
            switch (text[i])
            {
                case '\\' when text[i + 1] == 'u':
                    part.Append((char)Convert.ToUInt16(text.Substring(i + 2, 4), 16));
                    i += 5;
                    break;
                case '\\':
                    part.Append(text[++i]);
                    break;
                case '~':
                    isNull = true;
                    break;
                case ',' or ')':
                    parts.Add(isNull ? null : part.ToString());
                    (part, isNull) = (new StringBuilder(), false);
                    if (text[i] == ',') break;
                    Assert.Equal(text.Length - 1, i);
                    return new TextsKey(parts[0], parts[1], parts[2]![0]);
                default:
                    part.Append(text[i]);
                    break;
            }
        }
    }
}
