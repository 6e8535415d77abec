using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Shared;

namespace RequestCoalescing.Caching.Tests;

public sealed class RememberedTests
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_value_is_found_until_its_time_is_over()
    {
        var remembered = new Remembered<string>(10, _clock);
        Assert.False(remembered.TryGet("key", out _));
        remembered.Set("key", "value", s_minute);
        _clock.Advance(s_minute - TimeSpan.FromTicks(1));
        Assert.True(remembered.TryGet("key", out var value));
        Assert.Equal("value", value);
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.False(remembered.TryGet("key", out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(1_000)]
    public async Task There_are_never_many_more_keys_than_allowed_and_the_latest_are_kept(int most)
    {
        var remembered = new Remembered<string>(most, _clock);
        for (var key = 0; key < 5 * most; key++)
        {
            // A value that comes while there is no room is not kept.
            await Patience.UntilAsync(() =>
            {
                remembered.Set($"{key}", "value", s_minute);
                return remembered.TryGet($"{key}", out _);
            }, "there is room for the key");
            Assert.InRange(remembered.Count, 1, most + (most / 100) + 1);
            _clock.Advance(TimeSpan.FromTicks(1));
        }

        await Patience.UntilAsync(() => remembered.Count <= most + (most / 100), "there is room again");
        Assert.True(remembered.TryGet($"{(5 * most) - 1}", out _));
        if (most > 1) Assert.False(remembered.TryGet("0", out _));
    }

    [Fact]
    public void Threads_that_replace_and_remove_few_keys_leave_it_able_to_remember()
    {
        var remembered = new Remembered<string>(100, _clock);
        for (var round = 0; round < 20; round++)
        {
            Parallel.For(0, 4, thread =>
            {
                for (var i = 0; i < 500; i++)
                {
                    var key = $"{i % 3}";
                    if ((i + thread) % 4 == 0) remembered.Remove(key);
                    else remembered.Set(key, "value", TimeSpan.FromTicks(1 + (i % 2)));
                    _clock.Advance(TimeSpan.FromTicks(1));
                }
            });
            remembered.Set("last", "value", s_minute);
            Assert.True(remembered.TryGet("last", out _));
        }
    }

    [Theory]
    [InlineData(long.MinValue, false)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(long.MaxValue, true)]
    public void Any_duration_is_taken(long ticks, bool isRemembered)
    {
        var remembered = new Remembered<string>(10, _clock);
        remembered.Set("key", "old value", s_minute);
        remembered.Set("key", "value", TimeSpan.FromTicks(ticks));
        Assert.Equal(isRemembered, remembered.TryGet("key", out var value));
        Assert.Equal(isRemembered ? "value" : null, value);
    }
}
