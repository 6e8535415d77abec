using System.Globalization;
using System.Text;

namespace RequestCoalescing.Keys.Tests;

/// <summary>The text of generated keys. It is a promise: a text that changes separates the nodes of a cluster while a new version is rolled out.</summary>
public sealed class TextTests
{
    [Theory]
    [InlineData("a", 10, "PostKey(a,10)")]
    [InlineData("", -1, "PostKey(,-1)")]
    [InlineData(null, 0, "PostKey(~,0)")]
    [InlineData("~", 0, @"PostKey(\~,0)")]
    [InlineData("a,b", 0, @"PostKey(a\,b,0)")]
    [InlineData(@"\(x)", 0, @"PostKey(\\\(x\),0)")]
    [InlineData("a\nb\u0000\u007f\u009f", 0, @"PostKey(a\u000ab\u0000\u007f\u009f,0)")]
    [InlineData("Größe 😀", 0, "PostKey(Größe 😀,0)")]
    public void A_text_escapes_what_could_be_mistaken_for_syntax(string? id, int limit, string expected) => Expect(expected, new PostKey(id!, limit));

    [Fact]
    public void Half_of_a_surrogate_pair_is_escaped_because_it_has_no_UTF8_form()
    {
        Expect(@"PostKey(\ud83d,0)", new PostKey("\ud83d", 0));
        Expect(@"PostKey(\ude00\ud83d!,0)", new PostKey("\ude00\ud83d!", 0));
        Expect(@"TextsKey(😀\ud83d,~,\ude00)", new TextsKey("😀\ud83d", null, '\ude00'));
    }

    [Fact]
    public void Null_is_not_the_empty_text() => Expect(@"TextsKey(~,,\,)", new TextsKey(null, "", ','));

    [Fact]
    public void Numbers_are_written_in_digits() => Expect(
        "number:v2(-128,255,-32768,65535,-2147483648,4294967295,-9223372036854775808,18446744073709551615,-170141183460469231731687303715884105728," +
        "340282366920938463463374607431768211455,-5,5,123456789012345678901234567890,true,1,18446744073709551615,0.1,0.1,0.1,79228162514264337593543950335)",
        new NumbersKey(
            sbyte.MinValue, byte.MaxValue, short.MinValue, ushort.MaxValue, int.MinValue, uint.MaxValue, long.MinValue, ulong.MaxValue, Int128.MinValue, UInt128.MaxValue,
            -5, 5, System.Numerics.BigInteger.Parse("123456789012345678901234567890", CultureInfo.InvariantCulture), true, Color.Red, Huge.Largest, 0.1, 0.1f, (Half)0.1, decimal.MaxValue));

    [Fact]
    public void Numbers_that_are_equal_have_the_same_text()
    {
        var one = new NumbersKey { Q = 0.0, R = 0.0f, S = (Half)0.0f, T = 1.0m };
        var other = new NumbersKey { Q = -0.0, R = -0.0f, S = (Half)(-0.0f), T = 1.00m };
        Assert.Equal(one, other);
        Assert.Equal(one.ToString(), other.ToString());
        Assert.EndsWith(",0,0,0,1)", one.ToString(), StringComparison.Ordinal);

        var unknown = BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(double.NaN) ^ 1);
        Assert.Equal(new NumbersKey { Q = double.NaN }, new NumbersKey { Q = unknown });
        Assert.Equal(new NumbersKey { Q = double.NaN }.ToString(), new NumbersKey { Q = unknown }.ToString());
        Assert.EndsWith(",NaN,-Infinity,0,1E-07)", new NumbersKey { Q = double.NaN, R = float.NegativeInfinity, T = 0.0000001m }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Times_show_their_kind_and_their_offset()
    {
        var noon = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Unspecified).AddTicks(1);
        Expect(
            "TimesKey(2026-01-31T12:00:00.0000001Z,2026-01-31T12:00:00.0000001+05:30,2026-01-31,12:00:00.0000001,-1.00:00:00.5000000,00000001-0002-0003-0405-060708090a0b)",
            new TimesKey(
                DateTime.SpecifyKind(noon, DateTimeKind.Utc),
                new DateTimeOffset(noon, TimeSpan.FromMinutes(330)),
                DateOnly.FromDateTime(noon),
                TimeOnly.FromDateTime(noon),
                -(TimeSpan.FromDays(1) + TimeSpan.FromSeconds(0.5)),
                new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)));
        Assert.Contains("(2026-01-31T12:00:00.0000001L,", new TimesKey { A = DateTime.SpecifyKind(noon, DateTimeKind.Local) }.ToString(), StringComparison.Ordinal);
        Assert.Contains("(2026-01-31T12:00:00.0000001,", new TimesKey { A = noon }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Times_that_work_can_tell_apart_are_different_keys()
    {
        var noon = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);
        Assert.NotEqual(new TimesKey { A = noon }, new TimesKey { A = DateTime.SpecifyKind(noon, DateTimeKind.Local) });
        Assert.NotEqual(new MissingKey { C = noon }, new MissingKey { C = DateTime.SpecifyKind(noon, DateTimeKind.Local) });
        Assert.Equal(new TimesKey { A = noon }.GetHashCode(), new TimesKey { A = noon }.GetHashCode());

        var here = new DateTimeOffset(noon);
        Assert.Equal(here, here.ToOffset(TimeSpan.FromHours(1)));
        Assert.NotEqual(new TimesKey { B = here }, new TimesKey { B = here.ToOffset(TimeSpan.FromHours(1)) });
        Assert.NotEqual(new MissingKey { D = here }, new MissingKey { D = here.ToOffset(TimeSpan.FromHours(1)) });
        Assert.Equal(new MissingKey { D = here }, new MissingKey { D = here });
        Assert.NotEqual(new MissingKey { D = default(DateTimeOffset) }, new MissingKey());
        Assert.NotEqual(new MissingKey { C = default(DateTime) }, new MissingKey());
    }

    [Fact]
    public void A_part_that_is_missing_is_a_tilde_and_a_key_may_be_a_part()
    {
        Expect("MissingKey(~,~,~,~,~,PostKey(~,0))", default(MissingKey));
        Expect(
            @"MissingKey(0,1,0001-01-01T00:00:00.0000000,0001-01-01T00:00:00.0000000+00:00,PostKey(a\,b,1),PostKey(c,2))",
            new MissingKey(0, Color.Red, default(DateTime), default(DateTimeOffset), new PostKey("a,b", 1), new PostKey("c", 2)));
    }

    [Fact]
    public void A_part_is_written_as_the_record_stores_it() => Expect("LowerKey(abc)", new LowerKey("ABC"));

    [Fact]
    public void A_key_may_be_declared_in_another_type() => Expect("InnerKey(a,1)", new Outer.InnerKey("a", 1));

    [Fact]
    public void A_long_text_is_written_in_full()
    {
        var id = new string('x', 10_000) + "😀,";
        Expect($@"PostKey({new string('x', 10_000)}😀\,,1)", new PostKey(id, 1));
    }

    [Fact]
    public void The_culture_and_the_format_have_no_effect()
    {
        var culture = new CultureInfo("", useUserOverride: false) { NumberFormat = { NegativeSign = "minus", NumberDecimalSeparator = ";" }, DateTimeFormat = { TimeSeparator = "." } };
        var key = new NumbersKey { A = -1, T = 0.5m };
        var expected = key.ToString();
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = culture;
            Assert.Equal(expected, key.ToString());
            Assert.Equal(expected, ((IFormattable)key).ToString("X", culture));
            Assert.Equal(expected, $"{key:X}");
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Formatting_into_a_span_allocates_nothing()
    {
        var key = new MissingKey(0, Color.Red, default(DateTime), default(DateTimeOffset), new PostKey("a,b", 1), new PostKey("c", 2));
        Span<char> chars = stackalloc char[512];
        Span<byte> bytes = stackalloc byte[512];
        Write(chars, bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Write(chars, bytes);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Write(Span<char> chars, Span<byte> bytes)
        {
            for (var i = 0; i < 100; i++)
            {
                if (!key.TryFormat(chars, out _) || !key.TryFormat(bytes, out _)) throw new InvalidOperationException("The text does not fit.");
            }
        }
    }

    internal static void Expect<TKey>(string expected, TKey key)
        where TKey : ICoalescingKey
    {
        var text = key.ToString(null, null);
        Assert.Equal(expected, text);
        Assert.Equal(expected, key.ToString());

        var chars = new char[text.Length];
        Assert.True(key.TryFormat(chars, out var charsWritten, default, null));
        Assert.Equal(text, new string(chars, 0, charsWritten));
        for (var length = 0; length < text.Length; length += 1 + (length / 64))
        {
            Assert.False(key.TryFormat(chars.AsSpan(0, length), out charsWritten, default, null));
            Assert.Equal(0, charsWritten);
        }

        var bytes = new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text);
        var utf8 = new byte[bytes.Length];
        Assert.True(key.TryFormat(utf8, out var bytesWritten, default, null));
        Assert.Equal(bytes, utf8[..bytesWritten]);
        for (var length = 0; length < bytes.Length; length += 1 + (length / 64))
        {
            Assert.False(key.TryFormat(utf8.AsSpan(0, length), out bytesWritten, default, null));
            Assert.Equal(0, bytesWritten);
        }
    }
}
