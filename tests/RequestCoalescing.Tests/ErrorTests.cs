using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests;

/// <summary>Errors name the instance, the key as logs show it, and the state of the flight.</summary>
public sealed class ErrorTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Backend<int> _backend = new();
    private readonly ServiceProvider _provider;

    public ErrorTests()
    {
        var services = new ServiceCollection();
        services.AddSingleflight("posts", options =>
        {
            options.TimeProvider = _clock;
            options.MaxSubscribers = 2;
            options.MaxInFlight = 2;
        }).WithTelemetry(telemetry => telemetry.KeyRedactor = key => $"<{key.Length} characters>");
        _provider = services.BuildServiceProvider();
    }

    private ISingleflight Posts => _provider.GetRequiredKeyedService<ISingleflight>("posts");

    public async ValueTask DisposeAsync() => await _provider.DisposeAsync();

    [Fact]
    public async Task A_timeout_names_the_instance_and_the_key()
    {
        var call = Posts.ExecuteAsync("secret", _backend.RunStubbornAsync).AsTask();
        var follower = Posts.ExecuteAsync("secret", _backend.RunStubbornAsync).AsTask();
        var run = await _backend.NextRunAsync();
        _clock.Advance(TimeSpan.FromSeconds(30));
        var timeout = await call.ThrowsAsync<FlightTimeoutException>();
        Assert.Same(timeout, await follower.ThrowsAsync<FlightTimeoutException>());
        Assert.Equal(("posts", "<6 characters>", 2), (timeout.Instance, timeout.Key, timeout.Subscribers));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30)), (timeout.MaxDuration, timeout.Age));
        Assert.Equal("The work of 'posts' for key <6 characters> did not end within MaxDuration (00:00:30). The flight was 00:00:30 old and had 2 subscribers.", timeout.Message);
        run.Succeed(1);
    }

    [Fact]
    public async Task A_rejection_names_the_limit_the_instance_and_the_key()
    {
        var calls = Enumerable.Range(0, 2).Select(_ => Posts.ExecuteAsync("secret", _backend.RunAsync).AsTask()).ToArray();
        var run = await _backend.NextRunAsync();
        _clock.Advance(TimeSpan.FromSeconds(5));
        var full = await Posts.ExecuteAsync("secret", _backend.RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal(("posts", "<6 characters>", 2, 2), (full.Instance, full.Key, full.Limit, full.Subscribers));
        Assert.Equal(TimeSpan.FromSeconds(5), full.Age);
        Assert.Equal("The call to 'posts' for key <6 characters> was rejected: its flight is 00:00:05 old and has 2 subscribers, and MaxSubscribers is 2.", full.Message);

        var other = Posts.ExecuteAsync("b", _backend.RunAsync).AsTask();
        var otherRun = await _backend.NextRunAsync();
        var many = await Posts.ExecuteAsync("c", _backend.RunAsync).AsTask().ThrowsAsync<FlightRejectedException>();
        Assert.Equal("The call to 'posts' for key <1 characters> was rejected: the limit MaxInFlight (2) has been reached.", many.Message);
        run.Succeed(1);
        otherRun.Succeed(1);
        await Task.WhenAll([.. calls, other]).SoonAsync();
    }

    [Fact]
    public async Task The_error_of_callers_that_share_a_task_shows_no_frames_of_other_callers()
    {
        await using var posts = new Singleflight(new SingleflightOptions { TimeProvider = _clock });
        using var source = new CancellationTokenSource();
        for (var round = 0; round < 100; round++)
        {
            var end = new TaskCompletionSource<int>();
            var leader = posts.ExecuteAsync("a", _ => end.Task, source.Token).AsTask();
            var shared = posts.ExecuteAsync("a", _ => end.Task);
            var others = Enumerable.Range(0, 300).Select(_ => CallWithTokenAsync(end.Task)).ToArray();
            _clock.Advance(TimeSpan.FromMinutes(10));
            await Task.WhenAll([leader, .. others]).ThrowsAsync<FlightTimeoutException>();
            try
            {
                await shared;
            }
            catch (FlightTimeoutException timeout)
            {
                Assert.DoesNotContain(nameof(CallWithTokenAsync), timeout.StackTrace!, StringComparison.Ordinal);
            }

            end.SetResult(1);
        }

        async Task<int> CallWithTokenAsync(Task<int> end) => await posts.ExecuteAsync("a", _ => end, source.Token);
    }

    [Fact]
    public async Task A_deadlock_names_the_instances_and_keys_of_all_engines_in_it()
    {
        await using var users = new Singleflight<long>();
        var call = Posts.ExecuteAsync("secret", async _ =>
            await users.ExecuteAsync(7, async _ =>
            {
                await Task.Yield();
                return await Posts.ExecuteAsync("secret", _ => 1);
            })).AsTask();
        var deadlock = await call.ThrowsAsync<FlightDeadlockException>();
        Assert.Equal([7L, "secret"], deadlock.Keys.Skip(1).OrderBy(key => key is string)); // either wait may have been the last to begin
        Assert.Equal(deadlock.Flights[0], deadlock.Flights[2]);
        Assert.Contains("'posts' <6 characters>", deadlock.Flights);
        Assert.Equal($"The work waits for its own flight: {string.Join(" -> ", deadlock.Flights)}.", deadlock.Message);
        Assert.DoesNotContain("secret", deadlock.Message, StringComparison.Ordinal);
        Assert.Matches("'Singleflight<Int64>' #[0-9a-f]{16}", deadlock.Message);
    }

    [Fact]
    public void Exceptions_that_others_create_have_a_message_too()
    {
        Assert.Equal("The work did not end within MaxDuration (00:00:01).", new FlightTimeoutException(TimeSpan.FromSeconds(1)).Message);
        Assert.Equal("The call was rejected: the limit MaxInFlight (3) has been reached.", new FlightRejectedException(FlightRejectionReason.MaxInFlight, 3).Message);
        Assert.Equal("The work waits for its own flight.", new FlightDeadlockException(["a", "a"]).Message);
    }
}
