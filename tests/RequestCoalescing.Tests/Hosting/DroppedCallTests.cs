using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>Law 4 for instances from dependency injection: a caller may drop its call, and its failure then raises no unobserved-task event.</summary>
public sealed class DroppedCallTests
{
    [Theory]
    [InlineData("coalesced")]
    [InlineData("observed")]
    [InlineData("verified")]
    [InlineData("behind a switch")]
    public Task A_failure_of_a_dropped_call_raises_no_unobserved_task_event(string mode) =>
        Unobserved.AssertNoneAsync(() => DropAsync(mode), inner => inner is DroppedException);

    [Fact]
    public async Task Work_that_waits_for_itself_behind_an_asynchronous_switch_gets_an_error()
    {
        await using var provider = Create("behind a switch");
        var singleflight = provider.GetRequiredKeyedService<ISingleflight>("a");
        var call = singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            return await singleflight.ExecuteAsync("a", _ => 1);
        }).AsTask();
        Assert.Equal(["a", "a"], (await call.ThrowsAsync<FlightDeadlockException>()).Keys);
    }

    [Fact]
    public async Task A_call_behind_an_asynchronous_switch_that_work_does_not_await_is_no_deadlock()
    {
        await using var provider = Create("behind a switch");
        var singleflight = provider.GetRequiredKeyedService<ISingleflight>("a");
        var backend = new Backend<int>();
        var left = new TaskCompletionSource<ValueTask<int>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var outer = singleflight.ExecuteAsync("outer", async flight =>
        {
            left.SetResult(singleflight.ExecuteAsync("inner", async _ => 1 + await singleflight.ExecuteAsync("outer", backend.RunAsync)));
            return await backend.RunAsync(flight);
        }).AsTask();
        var dropped = await left.Task.SoonAsync();
        await singleflight.UntilSubscribersAsync(3);
        var inner = dropped.AsTask(); // awaited outside of the work that made the call
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await outer.SoonAsync());
        Assert.Equal(2, await inner.SoonAsync());
    }

    [Fact]
    public async Task A_deadlock_through_an_observed_instance_is_reported()
    {
        await using var provider = Create("observed");
        await using var coalesced = new Singleflight();
        var observed = provider.GetRequiredKeyedService<ISingleflight>("a");
        var call = coalesced.ExecuteAsync("a", async _ =>
            await observed.ExecuteAsync("b", async _ =>
            {
                await Task.Yield();
                return await coalesced.ExecuteAsync("a", _ => 1);
            })).AsTask();
        await call.ThrowsAsync<FlightDeadlockException>();
    }

    private static async Task DropAsync(string mode)
    {
        await using var provider = Create(mode);
        var singleflight = provider.GetRequiredKeyedService<ISingleflight>("a");
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Drop();
        Drop();
        await Patience.UntilAsync(() => singleflight.GetStats().TotalSubscribers == 2, "both calls wait");
        end.SetException(new DroppedException());
        await Patience.UntilAsync(() => singleflight.GetStats().InFlightCount == 0, "the flights have landed");

        async void Drop()
        {
            using var alive = new CancellationTokenSource();
            var call = singleflight.ExecuteAsync("a", async _ => await end.Task, alive.Token);
            await Task.Yield();
            GC.KeepAlive(call.IsCompleted);
        }
    }

    private static ServiceProvider Create(string mode)
    {
        var services = new ServiceCollection();
        var builder = services.AddSingleflight("a");
        if (mode == "observed") builder.WithRollout(rollout => rollout.Mode = RolloutMode.Observe);
        if (mode == "verified") builder.WithVerification(1);
        if (mode == "behind a switch") builder.WithRolloutSwitch(_ => new SlowSwitch());
        return services.BuildServiceProvider();
    }

    private sealed class DroppedException : Exception;

    private sealed class SlowSwitch : IRolloutSwitch
    {
        public async ValueTask<bool> IsEnabledAsync(CancellationToken cancellationToken)
        {
            await Task.Yield();
            return true;
        }
    }
}
