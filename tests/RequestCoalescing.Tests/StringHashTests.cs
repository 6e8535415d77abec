using System.Globalization;
using System.Numerics;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Tests;

/// <summary>The hash that chooses the shard (by its high bits) and the bucket (by its low bits) of a key that is a string.</summary>
public sealed class StringHashTests
{
    private const int Keys = 20_000;
    private const ulong Seed = 0x9E3779B97F4A7C15;
    private const ulong Factor = 0xD1B54A32D192ED03;

    // Of keys that differ in a few characters only, so that a weak hash would put many into one place.
    public static TheoryData<string> Forms => ["{0}", "post:{0}", "post:{0}:comments", "{0:d8}", "https://example.com/a/rather/long/path/{0}?page=1&sort=new", "{1}"];

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("abcdefg")]
    [InlineData("abcdefgh")]
    [InlineData("abcdefghi")]
    [InlineData("a key of forty characters and some more")]
    public void Equal_strings_have_equal_hashes(string key) => Assert.Equal(StringHash.Of(key), StringHash.Of(new string(key.AsSpan())));

    [Fact]
    public void Every_bit_of_every_character_changes_half_of_the_hash()
    {
        for (var length = 1; length <= 40; length++)
        {
            var text = new string('k', length);
            var (changed, flips) = (0, 0);
            for (var at = 0; at < length; at++)
            {
                for (var bit = 0; bit < 16; bit++, flips++)
                {
                    var flipped = text.ToCharArray();
                    flipped[at] ^= (char)(1 << bit);
                    var difference = BitOperations.PopCount(StringHash.Of(text, Seed, Factor) ^ StringHash.Of(new string(flipped), Seed, Factor));
                    Assert.True(difference > 0, $"Bit {bit} of character {at} of {length} changes nothing.");
                    changed += difference;
                }
            }

            Assert.InRange((double)changed / flips, 10, 22);
        }
    }

    [Fact]
    public void Strings_of_zeros_differ_by_their_length() =>
        Assert.Equal(200, Enumerable.Range(0, 200).Select(static length => StringHash.Of(new string('\0', length), Seed, Factor)).Distinct().Count());

    [Theory]
    [MemberData(nameof(Forms))]
    public void Similar_keys_spread_over_all_shards_and_buckets_with_any_secrets(string form)
    {
        var keys = Enumerable.Range(0, Keys).Select(key => string.Format(CultureInfo.InvariantCulture, form, key, string.Concat((char)key, (char)(key >> 8)))).ToArray();
        var random = new Random(1);
        for (var round = 0; round < 100; round++)
        {
            var (seed, factor) = ((ulong)random.NextInt64() << 1, (ulong)random.NextInt64() << 1);
            var (high, low) = (new int[1024], new int[1024]);
            var hashes = new HashSet<uint>();
            foreach (var key in keys)
            {
                var hash = StringHash.Of(key, seed, factor);
                hashes.Add(hash);
                high[hash >> 22]++;
                low[hash & 1023]++;
            }

            // The mean is 20. Among random places, one in a million has 45.
            Assert.InRange(high.Max(), 20, 60);
            Assert.InRange(low.Max(), 20, 60);
            Assert.True(hashes.Count > Keys - 10, $"{Keys - hashes.Count} keys collide."); // of random hashes, one in twenty rounds
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Keys_with_equal_characters_are_one_key(bool ignoresCase)
    {
        foreach (var comparer in ignoresCase ? new IEqualityComparer<string>?[] { StringComparer.OrdinalIgnoreCase } : [null, EqualityComparer<string>.Default, StringComparer.Ordinal])
        {
            await using var singleflight = new Singleflight<string>(null, comparer);
            var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            ValueTask<int>[] calls =
            [
                singleflight.ExecuteAsync("post:1", _ => new ValueTask<int>(end.Task)),
                singleflight.ExecuteAsync(new string("post:1".AsSpan()), _ => new ValueTask<int>(end.Task)),
                singleflight.ExecuteAsync("POST:1", _ => new ValueTask<int>(end.Task)),
            ];

            Assert.Equal(ignoresCase ? 1 : 2, singleflight.GetStats().Flights);
            end.SetResult(1);
            foreach (var call in calls) Assert.Equal(1, await call);
        }
    }
}
