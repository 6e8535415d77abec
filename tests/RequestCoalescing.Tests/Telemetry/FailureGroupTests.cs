namespace RequestCoalescing.Tests.Telemetry;

/// <summary>The failures by type, the abandoned work and the settings that an instance shows.</summary>
public sealed class FailureGroupTests : TelemetryFixture
{
    [Fact]
    public async Task Failures_are_grouped_by_the_type_of_their_cause_with_count_and_last_time()
    {
        for (var i = 0; i < 3; i++) await FailAsync("a", new HttpRequestException("outer", new InvalidTimeZoneException("The zone is gone.\r\nLine two.")));
        Clock.Advance(TimeSpan.FromMinutes(2));
        await FailAsync("b", new InvalidTimeZoneException("Another zone."));
        await FailAsync("b", new AggregateException(new TimeoutException("Too late.")));

        var groups = Instance.GetFailureGroups();
        Assert.Equal(
            [("System.InvalidTimeZoneException", "Another zone.", 4L), ("System.TimeoutException", "Too late.", 1L)],
            groups.Select(group => (group.ErrorType, group.Message, group.Count)).Order());
        Assert.All(groups, group => Assert.Equal(Clock.GetUtcNow(), group.LastAt));
        Assert.All(groups, group => Assert.Matches("^#[0-9a-f]{16}$", group.Key));
    }

    [Fact]
    public async Task Only_the_last_ten_minutes_count_as_recent()
    {
        await FailAsync("a", new InvalidTimeZoneException());
        Clock.Advance(TimeSpan.FromMinutes(9));
        await FailAsync("a", new InvalidTimeZoneException());
        Assert.Equal((2L, 2L), Counts());
        Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal((1L, 2L), Counts());
        Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal((0L, 2L), Counts());

        (long, long) Counts() => (Instance.GetFailureGroups()[0].RecentCount, Instance.GetFailureGroups()[0].Count);
    }

    [Fact]
    public async Task A_message_does_not_show_the_key()
    {
        await FailAsync("user:4711/Ann@example.org", new InvalidTimeZoneException("Row 4711 of ann%40EXAMPLE.org is locked; 14711 are not."));
        Assert.Equal("Row … of …%40….… is locked; 1… are not.", Assert.Single(Instance.GetFailureGroups()).Message);
    }

    [Fact]
    public async Task A_short_word_of_the_key_is_replaced_where_it_stands_as_a_word()
    {
        await FailAsync("7", new InvalidTimeZoneException("7 of 77"));
        Assert.Equal("… of 77", Assert.Single(Instance.GetFailureGroups()).Message);
    }

    [Fact]
    public async Task A_deadlock_shows_its_flights_as_logs_show_them()
    {
        await Assert.ThrowsAsync<FlightDeadlockException>(async () => await Singleflight.ExecuteAsync("user:4711", async _ =>
        {
            await Task.Yield();
            return await Singleflight.ExecuteAsync("user:4711", static _ => ValueTask.FromResult(1));
        }));
        var group = Assert.Single(Instance.GetFailureGroups());
        Assert.Matches("^#[0-9a-f]{16}$", group.Key);
        Assert.Matches($"^The work waits for its own flight: .*{group.Key} -> .*{group.Key}\\.$", group.Message);
    }

    [Fact]
    public async Task The_most_recent_types_are_kept()
    {
        Type[] arguments = [typeof(int), typeof(long), typeof(string), typeof(double), typeof(byte)];
        foreach (var first in arguments)
        {
            foreach (var second in arguments)
            {
                Clock.Advance(TimeSpan.FromSeconds(1));
                await FailAsync("a", (Exception)Activator.CreateInstance(typeof(TypedException<,>).MakeGenericType(first, second))!);
            }
        }

        Assert.Equal(20, Instance.GetFailureGroups().Count);
        Assert.Equal(typeof(TypedException<byte, byte>).FullName, Instance.GetFailureGroups()[0].ErrorType);
    }

    [Fact]
    public async Task A_message_that_throws_is_left_out()
    {
        var call = Singleflight.ExecuteAsync("a", static ValueTask<int> (_) => throw new BrokenException()).AsTask();
        await call.ContinueWith(static _ => { }, TaskScheduler.Default);
        Assert.True(call.IsFaulted);
        Assert.Null(Assert.Single(Instance.GetFailureGroups()).Message);
    }

    [Fact]
    public async Task Abandoned_work_is_listed_with_its_age_until_it_ends()
    {
        var hung = Singleflight.ExecuteAsync("the-key", Backend.RunStubbornAsync).AsTask();
        var run = await Backend.NextRunAsync();
        Assert.Empty(Instance.GetAbandoned());
        Clock.Advance(TimeSpan.FromSeconds(30));
        await hung.ThrowsAsync<FlightTimeoutException>();
        Clock.Advance(TimeSpan.FromSeconds(15));
        var abandoned = Assert.Single(Instance.GetAbandoned());
        Assert.Equal((TimeSpan.FromSeconds(45), 0, false), (abandoned.Age, abandoned.Subscribers, abandoned.IsCurrent));
        Assert.Matches("^#[0-9a-f]{16}$", abandoned.Key);
        Assert.Empty(Instance.GetFlights());
        Assert.Empty(Instance.GetAbandoned(0));
        Assert.Throws<ArgumentOutOfRangeException>("max", () => Instance.GetAbandoned(-1));
        Assert.Equal("The work did not end within MaxDuration (00:00:30).", Assert.Single(Instance.GetFailureGroups()).Message);
        run.Succeed(1);
        await Patience.UntilAsync(() => Instance.GetAbandoned().Count == 0, "the abandoned work has ended");
    }

    [Fact]
    public async Task The_settings_in_force_are_shown()
    {
        var settings = Instance.GetSettings();
        Assert.Equal(
            (TimeSpan.FromSeconds(30), Timeout.InfiniteTimeSpan, int.MaxValue, int.MaxValue, OverflowBehavior.Reject),
            (settings.MaxDuration, settings.JoinWindow, settings.MaxInFlight, settings.MaxSubscribers, settings.Overflow));
        Assert.Equal((true, RolloutMode.Coalesce, 1.0, false, 0.0), (settings.IsEnabled, settings.Mode, settings.RolloutFraction, settings.HasSwitch, settings.VerificationFraction));

        var name = $"test-{Guid.NewGuid():N}";
        await using var engine = new Singleflight<long>(new SingleflightOptions { Name = name, JoinWindow = TimeSpan.FromSeconds(2), MaxInFlight = 7, Overflow = OverflowBehavior.RunAlone });
        settings = SingleflightInstance.GetUnregistered().Single(instance => instance.Name == name).GetSettings();
        Assert.Equal((TimeSpan.FromSeconds(2), 7, OverflowBehavior.RunAlone, true), (settings.JoinWindow, settings.MaxInFlight, settings.Overflow, settings.IsEnabled));
    }

    private async Task FailAsync(string key, Exception exception) =>
        await Assert.ThrowsAnyAsync<Exception>(async () => await Singleflight.ExecuteAsync(key, ValueTask<int> (_) => throw exception));

    private sealed class TypedException<T1, T2> : Exception;

    private sealed class BrokenException : Exception
    {
        public override string Message => throw new InvalidOperationException();
    }
}
