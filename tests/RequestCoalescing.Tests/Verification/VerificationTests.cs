using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace RequestCoalescing.Tests.Verification;

public sealed class VerificationTests : IAsyncDisposable
{
    private readonly List<VerificationMismatch> _mismatches = [];
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ServiceProvider? _provider;

    private FakeLogCollector Logs => _provider!.GetFakeLogCollector();

    public ValueTask DisposeAsync() => _provider?.DisposeAsync() ?? default;

    [Fact]
    public async Task A_key_that_lacks_a_parameter_is_found_and_logged_without_the_values()
    {
        var singleflight = Create();
        var (leader, follower) = Pair(singleflight, "ten comments", "a hundred comments");
        Assert.Equal("ten comments", await leader.SoonAsync());
        Assert.Equal("ten comments", await follower.SoonAsync());

        var mismatch = Assert.Single(_mismatches);
        Assert.Equal(("weather", typeof(string), null), (mismatch.Instance, mismatch.ResultType, mismatch.OwnError));
        Assert.DoesNotContain("secret-key", mismatch.Key, StringComparison.Ordinal);
        var logged = Assert.Single(Logs.GetSnapshot(), entry => entry.Id.Id == 8);
        Assert.Equal(LogLevel.Error, logged.Level);
        Assert.DoesNotContain("comments", logged.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-key", logged.Message, StringComparison.Ordinal);
        var stats = singleflight.GetStats();
        Assert.Equal((2, 2, 1, 1, 1), (stats.Calls, stats.Flights, stats.Coalesced, stats.Verifications, stats.Mismatches));
    }

    [Fact]
    public async Task A_complete_key_causes_no_mismatch()
    {
        var singleflight = Create();
        var (leader, follower) = Pair(singleflight, "same", "same");
        Assert.Equal("same", await leader.SoonAsync());
        Assert.Equal("same", await follower.SoonAsync());
        Assert.Empty(_mismatches);
        Assert.Equal((1, 0), (singleflight.GetStats().Verifications, singleflight.GetStats().Mismatches));
    }

    [Fact]
    public async Task With_UseOwn_the_follower_gets_its_own_result()
    {
        var (_, follower) = Pair(Create(options => options.OnMismatch = MismatchBehavior.UseOwn), "theirs", "mine");
        Assert.Equal("mine", await follower.SoonAsync());
        Assert.Single(_mismatches);
    }

    [Fact]
    public async Task A_follower_whose_own_work_is_denied_access_is_a_mismatch()
    {
        var singleflight = Create(options => options.OnMismatch = MismatchBehavior.UseOwn);
        var (leader, follower) = Pair(singleflight, "private", new UnauthorizedAccessException());
        Assert.Equal("private", await leader.SoonAsync());
        await follower.ThrowsAsync<UnauthorizedAccessException>();
        Assert.Equal(typeof(UnauthorizedAccessException), Assert.Single(_mismatches).OwnError);
    }

    [Theory]
    [InlineData(typeof(TimeoutException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task A_verification_that_times_out_is_no_mismatch(Type error)
    {
        var (_, follower) = Pair(Create(), "same", (Exception)Activator.CreateInstance(error)!);
        Assert.Equal("same", await follower.SoonAsync());
        Assert.Empty(_mismatches);
    }

    [Fact]
    public async Task A_shared_failure_is_not_verified()
    {
        var (_, follower) = Pair(Create(), new InvalidTimeZoneException(), "fine");
        await follower.ThrowsAsync<InvalidTimeZoneException>();
        Assert.Empty(_mismatches);
    }

    [Fact]
    public async Task Sequences_are_compared_by_their_elements()
    {
        var singleflight = Create();
        Assert.Equal([1, 2], await Follow(singleflight, "a", [1, 2], [1, 2]));
        Assert.Empty(_mismatches);
        Assert.Equal([1, 2], await Follow(singleflight, "b", [1, 2], [1, 2, 3]));
        Assert.Single(_mismatches);
        Assert.Equal([1, 2], await Follow(singleflight, "c", [1, 2], [2, 1]));
        Assert.Equal(2, _mismatches.Count);

        async Task<List<int>> Follow(ISingleflight singleflight, string key, List<int> shared, List<int> own)
        {
            var go = new TaskCompletionSource();
            _ = singleflight.ExecuteAsync(key, async _ =>
            {
                await go.Task;
                return shared;
            }).AsTask();
            var follower = singleflight.ExecuteAsync(key, _ => ValueTask.FromResult(own)).AsTask();
            go.SetResult();
            return await follower.SoonAsync();
        }
    }

    [Fact]
    public async Task A_comparer_decides_which_results_are_equal_and_a_failing_handler_affects_no_caller()
    {
        var singleflight = Create(options =>
        {
            options.Comparer = StringComparer.OrdinalIgnoreCase;
            options.Mismatched = _ => throw new InvalidTimeZoneException();
        });
        var (_, follower) = Pair(singleflight, "same", "SAME");
        Assert.Equal("same", await follower.SoonAsync());
        Assert.Equal(0, singleflight.GetStats().Mismatches);

        var again = new TaskCompletionSource<string>();
        _ = singleflight.ExecuteAsync("other", _ => again.Task).AsTask();
        var harmed = singleflight.ExecuteAsync("other", static _ => ValueTask.FromResult("other")).AsTask();
        again.SetResult("same");
        Assert.Equal("same", await harmed.SoonAsync());
        Assert.Equal(1, singleflight.GetStats().Mismatches);
        Assert.Single(Logs.GetSnapshot(), entry => entry.Id.Id == 11);
    }

    [Fact]
    public async Task A_caller_whose_token_fires_does_not_wait_for_its_verification()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        using var aborted = new CancellationTokenSource();
        var leader = singleflight.ExecuteAsync("a", backend.RunStubbornAsync).AsTask();
        var shared = await backend.NextRunAsync();
        var follower = singleflight.ExecuteAsync("a", backend.RunStubbornAsync, aborted.Token).AsTask();
        shared.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        var own = await backend.NextRunAsync();
        Assert.False(follower.IsCompleted);
        await aborted.CancelAsync();
        Assert.Equal(1, await follower.SoonAsync()); // the outcome came first
        await own.CancelledAsync();
        own.Succeed(2);
        Assert.Empty(_mismatches);
    }

    [Fact]
    public async Task An_elected_follower_leads_and_is_not_verified()
    {
        var singleflight = Create();
        using var aborted = new CancellationTokenSource();
        var leader = singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Delay(Timeout.Infinite, aborted.Token); // the work has captured the token of its leader
            return 0;
        }, aborted.Token).AsTask();
        var backend = new Backend<int>();
        var follower = singleflight.ExecuteAsync("a", backend.RunAsync).AsTask();
        await aborted.CancelAsync();
        await leader.LeavesWithAsync(aborted.Token);
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal((1, 0), (backend.Runs, singleflight.GetStats().Verifications));
    }

    [Fact]
    public async Task A_verification_that_fails_once_is_no_mismatch()
    {
        var singleflight = Create();
        var backend = new Backend<int>();
        var leader = singleflight.ExecuteAsync("a", backend.RunAsync).AsTask();
        var follower = singleflight.ExecuteAsync("a", backend.RunAsync).AsTask();
        (await backend.NextRunAsync()).Succeed(1);
        (await backend.NextRunAsync()).Fail(new InvalidTimeZoneException());
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal([1, 1], (await Task.WhenAll(leader, follower).SoonAsync()).AsEnumerable());
        Assert.Empty(_mismatches);
    }

    [Fact]
    public async Task Behind_an_asynchronous_decorator_a_leader_is_not_verified()
    {
        var singleflight = Create(builder: builder => builder.Decorate<string>((_, inner) => new Late(inner)));
        var wasCurrent = false;
        await singleflight.ExecuteAsync("a", 0, async (_, flight) =>
        {
            wasCurrent = flight.IsCurrent;
            await Task.Yield();
            return 1;
        });
        Assert.True(wasCurrent);
        Assert.Equal((1, 0), (singleflight.GetStats().Flights, singleflight.GetStats().Verifications));
    }

    [Fact]
    public async Task A_verification_on_a_disposed_engine_does_not_hang_its_caller()
    {
        var singleflight = Create(builder: builder => builder.Decorate<string>((services, inner) => new Late(inner)));
        var backend = new Backend<int>();
        var leader = singleflight.ExecuteAsync("a", backend.RunStubbornAsync).AsTask();
        var run = await backend.NextRunAsync();
        var follower = singleflight.ExecuteAsync("a", backend.RunStubbornAsync).AsTask();
        await singleflight.UntilSubscribersAsync(2);
        var disposal = _provider!.DisposeAsync();
        run.Succeed(1);
        Assert.Equal([1, 1], (await Task.WhenAll(leader, follower).SoonAsync()).AsEnumerable());
        await disposal;
    }

    [Fact]
    public async Task Verification_is_turned_on_by_a_setting_alone()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:Verification:Fraction", "1")]).Build());
        services.AddSingleflight();
        _provider = services.BuildServiceProvider();
        var (_, follower) = Pair(_provider.GetRequiredService<ISingleflight>(), "theirs", "mine");
        Assert.Equal("theirs", await follower.SoonAsync());
        Assert.Equal(1, _provider.GetRequiredService<ISingleflight>().GetStats().Mismatches);
    }

    [Fact]
    public async Task Without_a_fraction_nothing_is_verified()
    {
        var (_, follower) = Pair(Create(options => options.Fraction = 0), "theirs", "mine");
        Assert.Equal("theirs", await follower.SoonAsync());
        Assert.Empty(_mismatches);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void A_fraction_out_of_range_is_refused(double fraction) =>
        Assert.Throws<ArgumentOutOfRangeException>("Fraction", () => new ServiceCollection().AddSingleflight().WithVerification(fraction));

    private ISingleflight Create(Action<VerificationOptions>? configure = null, Action<ISingleflightBuilder>? builder = null)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        var weather = services.AddSingleflight("weather").WithVerification(1, configure: options =>
        {
            options.Mismatched = mismatch =>
            {
                lock (_mismatches) _mismatches.Add(mismatch);
            };
            configure?.Invoke(options);
        });
        builder?.Invoke(weather);
        _provider = services.BuildServiceProvider();
        return _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    // A leader and a follower of one key. Each has its own work.
    private (Task<string> Leader, Task<string> Follower) Pair(ISingleflight singleflight, object leaders, object followers)
    {
        var leader = singleflight.ExecuteAsync("secret-key", _ => MakeAsync(leaders)).AsTask();
        var follower = singleflight.ExecuteAsync("secret-key", _ => MakeAsync(followers)).AsTask();
        _go.SetResult();
        return (leader, follower);

        async ValueTask<string> MakeAsync(object made)
        {
            await _go.Task;
            return made is Exception exception ? throw exception : (string)made;
        }
    }

    // A decorator that awaits something before it calls the engine.
    private sealed class Late(ISingleflight<string> inner) : SingleflightBase<string>
    {
        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats() => inner.GetStats();

        protected override async ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return await inner.ExecuteAsync(key, state, work, cancellationToken);
        }

        protected override bool ForgetCore(string key) => inner.Forget(key);
    }
}
