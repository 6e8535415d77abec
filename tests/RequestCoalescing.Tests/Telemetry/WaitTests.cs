using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>The waits of callers that share one task.</summary>
public sealed class WaitTests : IAsyncDisposable
{
    private readonly HookedClock _clock = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<double> _waits = new();

    public WaitTests()
    {
        var services = new ServiceCollection();
        services.AddMetrics();
        services.AddSingleflight(options => options.TimeProvider = _clock);
        _provider = services.BuildServiceProvider();
        _singleflight = _provider.GetRequiredService<ISingleflight>();
        var factory = _provider.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "singleflight.caller.wait" && instrument.Meter.Scope == factory) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((_, waited, _, _) => _waits.Enqueue(waited));
        _listener.Start();
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        _clock.OnTimestamp = null;
        await _provider.DisposeAsync();
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4_000)]
    public async Task Every_wait_lasts_from_the_caller_s_arrival_to_the_outcome(int callers)
    {
        var end = new TaskCompletionSource<int>();
        var calls = new List<Task<int>>();
        for (var i = 0; i < callers; i++)
        {
            calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task).AsTask());
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        end.SetResult(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
        await UntilMeasuredAsync(callers);
        Assert.Equal(Enumerable.Range(1, callers).Select(ms => (double)ms), _waits.Order().Select(wait => Math.Round(wait * 1_000, 3)));
    }

    [Fact]
    public async Task A_wait_ends_before_the_caller_goes_on()
    {
        const int Callers = 10;
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, Callers).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        _clock.OnTimestamp = () =>
        {
            if (calls[^1].IsCompleted) _clock.Advance(TimeSpan.FromSeconds(1));
        };
        end.SetResult(7);
        await Task.WhenAll(calls).SoonAsync();
        await UntilMeasuredAsync(Callers);
        Assert.InRange(_waits.Count(wait => wait == 0), Callers - 2, Callers); // the first two callers share no task
    }

    [Fact]
    public async Task A_result_that_is_of_use_on_this_node_only_is_not_measured()
    {
        var end = new TaskCompletionSource<Local>();
        var calls = Enumerable.Range(0, 5).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        end.SetResult(new Local());
        await Task.WhenAll(calls).SoonAsync();
        await _singleflight.ExecuteAsync("b", static _ => ValueTask.FromResult(1));
        await UntilMeasuredAsync(1);
    }

    [Fact]
    public async Task Many_hot_keys_at_once_are_measured_by_themselves()
    {
        const int Keys = 50;
        var ends = Enumerable.Range(0, Keys).Select(_ => new TaskCompletionSource<int>()).ToArray();
        var calls = new List<Task<int>>[Keys];
        for (var round = 0; round < 5; round++)
        {
            for (var key = 0; key < Keys; key++) (calls[key] ??= []).Add(_singleflight.ExecuteAsync($"{key}", ends[key], static (end, _) => end.Task).AsTask());
        }

        for (var key = 0; key < Keys; key++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(1));
            ends[key].SetResult(key);
            Assert.All(await Task.WhenAll(calls[key]).SoonAsync(), result => Assert.Equal(key, result));
            await UntilMeasuredAsync(5 * (key + 1));
        }

        Assert.Equal(Enumerable.Range(1, Keys).SelectMany(ms => Enumerable.Repeat((double)ms, 5)), _waits.Select(wait => Math.Round(wait * 1_000, 3)).Order());
    }

    [Fact]
    public async Task A_failure_is_the_same_for_all_and_is_measured()
    {
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 5).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        var failure = new InvalidTimeZoneException();
        end.SetException(failure);
        foreach (var call in calls) Assert.Same(failure, await call.ThrowsAsync<InvalidTimeZoneException>());
        await UntilMeasuredAsync(5);
    }

    [Fact]
    public async Task A_failure_that_no_caller_awaits_raises_no_unobserved_task_event()
    {
        await Unobserved.AssertNoneAsync(DropAsync, inner => inner is InvalidTimeZoneException);

        async Task DropAsync()
        {
            Drop();
            await UntilMeasuredAsync(5);
        }

        void Drop()
        {
            var end = new TaskCompletionSource<int>();
            for (var i = 0; i < 5; i++) GC.KeepAlive(_singleflight.ExecuteAsync("a", _ => end.Task).IsCompleted);
            end.SetException(new InvalidTimeZoneException());
        }
    }

    [Fact]
    public async Task A_clock_that_fails_when_a_caller_has_joined_leaves_the_caller_its_result()
    {
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToList();
        _clock.OnTimestamp = static () => throw new InvalidDataException();
        calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task).AsTask());
        end.SetResult(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
    }

    [Fact]
    public async Task A_clock_that_calls_the_instance_while_a_caller_joins_disturbs_no_measurement()
    {
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToList();
        _clock.HookOnce(() => calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task).AsTask()));
        calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task).AsTask());
        end.SetResult(7);
        Assert.All(await Task.WhenAll(calls).SoonAsync(), result => Assert.Equal(7, result));
        Assert.Equal(5, calls.Count);
        await UntilMeasuredAsync(5);
    }

    [Fact]
    public async Task A_follower_leaves_only_the_time_of_its_arrival()
    {
        const int Callers = 10_000;
        var end = new TaskCompletionSource<int>();
        var first = Enumerable.Range(0, 1_000).Select(_ => _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task).AsTask()).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Callers; i++) _ = _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Callers, 0, 16);
        end.SetResult(7);
        await Task.WhenAll(first).SoonAsync();
        await UntilMeasuredAsync(1_000 + Callers);
    }

    [Fact]
    public async Task A_thread_that_remembers_a_crowd_does_not_keep_its_result_alive()
    {
        var result = await LoadAsync();
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return !result.IsAlive;
            },
            "the result has been collected");
    }

    [Fact]
    public async Task Every_wait_is_measured_once_while_threads_join_and_a_flight_lands()
    {
        const int Threads = 3;
        const int Rounds = 600;
        var calls = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var end = new TaskCompletionSource<int>();
            _ = _singleflight.ExecuteAsync("hot", end, static (end, _) => end.Task).AsTask();
            Crowd.Run(Threads, thread =>
            {
                var mine = new List<Task<int>>();
                for (var i = 0; !end.Task.IsCompleted || i < 20; i++)
                {
                    mine.Add(_singleflight.ExecuteAsync("hot", end, static (end, _) => end.Task).AsTask());
                    if (thread == 0 && i == 50) end.SetResult(7);
                }

                Task.WhenAll(mine).SoonAsync().GetAwaiter().GetResult();
                Interlocked.Add(ref calls, mine.Count);
            });
        }

        await UntilMeasuredAsync(Rounds + calls);
        Assert.All(_waits, wait => Assert.Equal(0, wait));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<WeakReference> LoadAsync()
    {
        var end = new TaskCompletionSource<object>();
        var calls = Enumerable.Range(0, 5).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        var result = new object();
        end.SetResult(result);
        await Task.WhenAll(calls).SoonAsync();
        await UntilMeasuredAsync(5);
        return new WeakReference(result);
    }

    private async Task UntilMeasuredAsync(int waits)
    {
        await Patience.UntilAsync(() => _waits.Count >= waits, $"{waits} waits have been measured");
        Assert.Equal(waits, _waits.Count);
    }

    private sealed class Local : ILocalResult;
}
