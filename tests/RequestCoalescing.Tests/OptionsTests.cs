namespace RequestCoalescing.Tests;

/// <summary>Options are validated when the engine is created.</summary>
public sealed class OptionsTests
{
    public static TheoryData<string, SingleflightOptions> Invalid => new()
    {
        { nameof(SingleflightOptions.MaxSubscribers), new() { MaxSubscribers = 0 } },
        { nameof(SingleflightOptions.MaxSubscribers), new() { MaxSubscribers = -1 } },
        { nameof(SingleflightOptions.MaxInFlight), new() { MaxInFlight = 0 } },
        { nameof(SingleflightOptions.MaxInFlight), new() { MaxInFlight = int.MinValue } },
        { nameof(SingleflightOptions.MaxDuration), new() { MaxDuration = TimeSpan.Zero } },
        { nameof(SingleflightOptions.MaxDuration), new() { MaxDuration = TimeSpan.FromTicks(1) } },
        { nameof(SingleflightOptions.MaxDuration), new() { MaxDuration = TimeSpan.FromSeconds(-1) } },
        { nameof(SingleflightOptions.MaxDuration), new() { MaxDuration = Timeout.InfiniteTimeSpan } },
        { nameof(SingleflightOptions.MaxDuration), new() { MaxDuration = TimeSpan.MaxValue } },
        { nameof(SingleflightOptions.JoinWindow), new() { JoinWindow = TimeSpan.Zero } },
        { nameof(SingleflightOptions.JoinWindow), new() { JoinWindow = TimeSpan.FromSeconds(-1) } },
        { nameof(SingleflightOptions.JoinWindow), new() { JoinWindow = TimeSpan.FromSeconds(31) } },
        { nameof(SingleflightOptions.JoinWindow), new() { JoinWindow = TimeSpan.MaxValue } },
        { nameof(SingleflightOptions.Overflow), new() { Overflow = (OverflowBehavior)7 } },
        { nameof(SingleflightOptions.ContextFlow), new() { ContextFlow = (ContextFlow)7 } },
        { nameof(SingleflightOptions.TimeProvider), new() { TimeProvider = null! } },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    public void An_option_out_of_range_throws_with_its_name(string name, SingleflightOptions options)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => new Singleflight(options));
        Assert.Equal(name, error.ParamName);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_ends_of_the_ranges_are_valid()
    {
        _ = new Singleflight(new() { MaxSubscribers = 1, MaxInFlight = 1, MaxDuration = TimeSpan.FromMilliseconds(1), JoinWindow = TimeSpan.FromMilliseconds(1) });
        _ = new Singleflight(new() { MaxDuration = TimeSpan.FromDays(24), JoinWindow = TimeSpan.FromDays(24) });
        _ = new Singleflight(new());
        _ = new Singleflight();
    }

    [Fact]
    public async Task A_default_context_stands_for_no_flight()
    {
        FlightContext none = default;
        Assert.Equal((false, false, 0, CancellationToken.None), (none.IsCurrent, none.IsAlone, none.SubscriberCount, none.CancellationToken));
        Assert.False(await none.ConfirmCurrentAsync());
    }
}
