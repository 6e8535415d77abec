using System.Diagnostics;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class SpanTests() : TelemetryFixture(traces: true, configure: options => options.MaxSpanLinks = 3)
{
    private static readonly ActivitySource s_source = new(nameof(TelemetryFixture));

    [Fact]
    public async Task A_flight_is_one_span_and_a_child_of_its_leaders_span()
    {
        Activity? seen = null;
        ActivitySpanId leaders;
        using (var request = s_source.StartActivity("request")!)
        {
            leaders = request.SpanId;
            await Singleflight.ExecuteAsync("a", async _ =>
            {
                seen = Activity.Current;
                await Task.Yield();
                Assert.Same(seen, Activity.Current);
                return 1;
            });
            Assert.Same(request, Activity.Current);
        }

        var span = Flights.Single();
        Assert.Same(seen, span);
        Assert.Equal(leaders, span.ParentSpanId);
        Assert.Equal(("singleflight.flight", "leader", "success", 1, ActivityStatusCode.Unset),
            (span.OperationName, span.GetTagItem("singleflight.role"), span.GetTagItem("singleflight.outcome"), span.GetTagItem("singleflight.subscribers"), span.Status));
        Assert.DoesNotContain(span.TagObjects, tag => tag.Value is "a");
    }

    [Fact]
    public async Task Followers_and_flight_are_linked_both_ways_up_to_a_limit()
    {
        var leader = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        var run = await Backend.NextRunAsync();
        var followers = await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ =>
        {
            var request = s_source.StartActivity("request")!;
            var joined = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
            if (Singleflight.GetStats().TotalSubscribers == 6) run.Succeed(1);
            await joined;
            request.Stop();
            return request;
        })).SoonAsync();
        await leader;

        var span = Flights.Single();
        Assert.Equal(6, span.GetTagItem("singleflight.subscribers"));
        Assert.Equal(3, span.Links.Count());
        var linked = followers.Where(follower => follower.Links.Any()).ToList();
        Assert.Equal(linked.Select(follower => follower.SpanId).ToHashSet(), span.Links.Select(link => link.Context.SpanId).ToHashSet());
        Assert.All(linked, follower => Assert.Equal(span.SpanId, Assert.Single(follower.Links).Context.SpanId));
    }

    [Fact]
    public async Task A_follower_that_joins_before_the_span_starts_is_linked_too()
    {
        using var entered = new ManualResetEventSlim();
        using var released = new ManualResetEventSlim();
        using var blocking = new ActivityListener
        {
            ShouldListenTo = source => source.Name == SingleflightTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = activity =>
            {
                if (activity.Parent?.OperationName != Name) return; // a span of another test
                entered.Set();
                released.Wait(Patience.Limit);
            },
        };
        ActivitySource.AddActivityListener(blocking);
        var leader = Task.Run(async () =>
        {
            using var request = s_source.StartActivity(Name);
            return await Singleflight.ExecuteAsync("a", Backend.RunAsync);
        });
        Assert.True(entered.Wait(Patience.Limit));
        var early = s_source.StartActivity("request")!;
        var follower = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        released.Set();
        (await Backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(leader, follower).SoonAsync();
        early.Stop();
        var span = Flights.Single();
        Assert.Equal(early.SpanId, Assert.Single(span.Links).Context.SpanId);
        Assert.Equal(span.SpanId, Assert.Single(early.Links).Context.SpanId);
    }

    [Fact]
    public async Task A_job_that_follows_many_flights_has_a_limited_number_of_links()
    {
        var job = s_source.StartActivity("job")!;
        for (var flight = 0; flight < 5; flight++)
        {
            Activity.Current = null;
            var leader = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
            Activity.Current = job;
            var follower = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
            (await Backend.NextRunAsync()).Succeed(1);
            await Task.WhenAll(leader, follower).SoonAsync();
        }

        job.Stop();
        Assert.Equal(3, job.Links.Count());
        Assert.Equal(5, Flights.Count());
    }

    [Fact]
    public async Task A_failure_is_on_the_span()
    {
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await Singleflight.ExecuteAsync("a", ValueTask<int> (_) => throw new InvalidTimeZoneException()));
        var span = Flights.Single();
        Assert.Equal((ActivityStatusCode.Error, "System.InvalidTimeZoneException", "failure"), (span.Status, span.GetTagItem("error.type"), span.GetTagItem("singleflight.outcome")));
    }

    [Fact]
    public async Task An_elected_flight_has_its_own_span_under_that_of_the_elected_leader()
    {
        using var aborted = new CancellationTokenSource();
        var leader = Singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Delay(Timeout.Infinite, aborted.Token); // the work has captured the token of its leader
            return 0;
        }, aborted.Token).AsTask();
        using var request = s_source.StartActivity("request")!;
        var follower = Singleflight.ExecuteAsync("a", Backend.RunAsync).AsTask();
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        (await Backend.NextRunAsync()).Succeed(1);
        await follower.SoonAsync();

        Assert.Equal(["reelected", "success"], Flights.Select(span => span.GetTagItem("singleflight.outcome")));
        var second = Flights.Last();
        Assert.Equal(("elected", request.SpanId), (second.GetTagItem("singleflight.role"), second.ParentSpanId));
    }

    [Fact]
    public async Task The_span_of_a_flight_without_subscribers_ends_as_cancelled()
    {
        using var aborted = new CancellationTokenSource();
        var leader = Singleflight.ExecuteAsync("a", Backend.RunStubbornAsync, aborted.Token).AsTask();
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        await Patience.UntilAsync(() => Flights.Any(), "the span has ended");
        Assert.Equal("cancelled", Flights.Single().GetTagItem("singleflight.outcome"));
    }

    private IEnumerable<Activity> Flights => Spans.Where(span => Name.Equals(span.GetTagItem("singleflight.name")));
}
