using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>The waits of callers that share one task, and of callers that have a token.</summary>
public sealed class WaitTests : IAsyncDisposable
{
    private readonly HookedClock _clock = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<double> _waits = new();
    private readonly CancellationTokenSource _source = new();

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
        _source.Dispose();
        _clock.OnTimestamp = null;
        await _provider.DisposeAsync();
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(4_000, false)]
    [InlineData(3, true)]
    [InlineData(4_000, true)]
    public async Task Every_wait_lasts_from_the_caller_s_arrival_to_the_outcome(int callers, bool withTokens)
    {
        var end = new TaskCompletionSource<int>();
        var calls = new List<Task<int>>();
        for (var i = 0; i < callers; i++)
        {
            calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task, TokenIf(withTokens)).AsTask());
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wait_is_recorded_in_the_context_of_its_caller(bool withTokens)
    {
        var seen = new ConcurrentQueue<string?>();
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => seen.Enqueue(Activity.Current?.OperationName));
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 6).Select(CallAsync).ToArray();
        end.SetResult(7);
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(Enumerable.Range(0, 6).Select(static caller => $"caller {caller}"), seen.Order());

        async Task CallAsync(int caller)
        {
            using var activity = new Activity($"caller {caller}").Start();
            await _singleflight.ExecuteAsync("a", _ => end.Task, TokenIf(withTokens));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_listener_that_fails_at_one_wait_sees_the_others(bool withTokens)
    {
        const int Callers = 1_000;
        var seen = 0;
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) =>
        {
            if (Interlocked.Increment(ref seen) == 4) throw new InvalidDataException();
        });
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, Callers).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task, TokenIf(withTokens)).AsTask()).ToArray();
        end.SetResult(7);
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(Callers, seen);
    }

    [Fact]
    public async Task A_caller_that_goes_on_finds_all_waits_recorded()
    {
        for (var round = 1; round <= 200; round++)
        {
            var end = new TaskCompletionSource<int>();
            var calls = Enumerable.Range(0, 100).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
            end.SetResult(7);
            await Task.WhenAll(calls).SoonAsync();
            Assert.Equal(100 * round, _waits.Count);
        }
    }

    [Fact]
    public async Task A_context_that_blocks_in_Post_holds_up_no_measurement()
    {
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToList();
        var areMeasured = new TaskCompletionSource<bool>();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            for (var i = 0; i < 2; i++) calls.Add(_singleflight.ExecuteAsync("a", _ => end.Task).AsTask());
            _singleflight.ExecuteAsync("a", _ => end.Task).GetAwaiter().OnCompleted(() => areMeasured.SetResult(SpinWait.SpinUntil(() => _waits.Count == 6, Patience.Limit)));
        });
        end.SetResult(7);
        Assert.True(await areMeasured.Task, "The waits are recorded after the caller has gone on.");
        await Task.WhenAll(calls).SoonAsync();
    }

    [Fact]
    public async Task Two_instances_around_one_engine_are_measured_by_their_names()
    {
        await using var engine = new Singleflight();
        var services = new ServiceCollection();
        services.AddMetrics();
        foreach (var name in new[] { "first", "second" }) services.AddSingleflight(name).Decorate<string>((_, _) => engine);
        await using var provider = services.BuildServiceProvider();
        using var collector = new MetricCollector<double>(provider.GetRequiredService<IMeterFactory>(), SingleflightTelemetry.MeterName, "singleflight.caller.wait");
        var end = new TaskCompletionSource<int>();
        var instances = new[] { "first", "second" }.Select(provider.GetRequiredKeyedService<ISingleflight>).ToArray();
        var calls = Enumerable.Range(0, 20).Select(i => instances[i % 2].ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        end.SetResult(7);
        await Task.WhenAll(calls).SoonAsync();
        Assert.Equal(["first 10", "second 10"], collector.GetMeasurementSnapshot().CountBy(static wait => wait.Tags["singleflight.name"]!).Select(static name => $"{name.Key} {name.Value}").Order());
    }

    [Fact]
    public async Task A_follower_leaves_only_the_time_of_its_arrival_and_its_context()
    {
        const int Callers = 10_000;
        var end = new TaskCompletionSource<int>();
        var first = Enumerable.Range(0, 1_000).Select(_ => _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task).AsTask()).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Callers; i++) _ = _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Callers, 0, 24);
        end.SetResult(7);
        await Task.WhenAll(first).SoonAsync();
        await UntilMeasuredAsync(1_000 + Callers);
    }

    [Fact]
    public async Task A_follower_with_a_token_leaves_nothing_but_a_pooled_wait()
    {
        const int Callers = 10_000;
        var allocated = new List<long>();
        for (var burst = 0; burst < 3; burst++)
        {
            var end = new TaskCompletionSource<int>();
            var calls = new ValueTask<int>[Callers];
            var first = Enumerable.Range(0, 4).Select(_ => _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task, _source.Token).AsTask()).ToArray();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < Callers; i++) calls[i] = _singleflight.ExecuteAsync("a", end, static (end, _) => end.Task, _source.Token);
            allocated.Add((GC.GetAllocatedBytesForCurrentThread() - before) / Callers);
            end.SetResult(7);
            await Task.WhenAll(first).SoonAsync();
            foreach (var call in calls) Assert.Equal(7, await call);
        }

        Assert.InRange(allocated.Min(), 0, 16); // in the first bursts, the pool and the list of the token's callbacks grow
        await UntilMeasuredAsync(3 * (Callers + 4));
    }

    [Fact]
    public async Task A_wait_ends_when_the_caller_leaves_and_before_it_goes_on()
    {
        var end = new TaskCompletionSource<int>();
        var others = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        using var source = new CancellationTokenSource();
        var leaver = _singleflight.ExecuteAsync("a", _ => end.Task, source.Token).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(5));
        await source.CancelAsync();
        await leaver.LeavesWithAsync(source.Token);
        var measured = _waits.ToArray();
        end.SetResult(7);
        await Task.WhenAll(others).SoonAsync();
        Assert.Equal(0.005, Assert.Single(measured), 6);
    }

    [Fact]
    public async Task A_listener_that_blocks_does_not_hold_up_the_end_of_the_work()
    {
        var end = new TaskCompletionSource<int>();
        using var isUnblocked = new ManualResetEventSlim();
        _ = _singleflight.ExecuteAsync("a", _ => end.Task).AsTask();
        var withTokens = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task, _source.Token).AsTask()).ToArray();
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => isUnblocked.Wait());
        try
        {
            await Task.Run(() => end.SetResult(7)).SoonAsync();
            Assert.All(withTokens, static call => Assert.False(call.IsCompleted));
        }
        finally
        {
            isUnblocked.Set();
        }

        await Task.WhenAll(withTokens).SoonAsync();
    }

    [Fact]
    public async Task A_listener_that_blocks_does_not_hold_up_the_token_that_fires()
    {
        var end = new TaskCompletionSource<int>();
        using var source = new CancellationTokenSource();
        using var isUnblocked = new ManualResetEventSlim();
        var leader = _singleflight.ExecuteAsync("a", _ => end.Task).AsTask();
        var leavers = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task, source.Token).AsTask()).ToArray();
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => isUnblocked.Wait());
        try
        {
            await Task.Run(source.Cancel).SoonAsync();
        }
        finally
        {
            isUnblocked.Set();
            end.SetResult(7);
        }

        foreach (var leaver in leavers) await leaver.LeavesWithAsync(source.Token);
        await leader.SoonAsync();
    }

    [Fact]
    public async Task A_listener_that_blocks_does_not_hold_up_an_election()
    {
        var end = new TaskCompletionSource<int>();
        using var leaders = new CancellationTokenSource();
        using var leavers = new CancellationTokenSource();
        using var isUnblocked = new ManualResetEventSlim();
        var leader = _singleflight.ExecuteAsync("a", _ => end.Task, leaders.Token).AsTask();
        var calls = Enumerable.Range(0, 3).Select(_ => _singleflight.ExecuteAsync("a", _ => end.Task, leavers.Token).AsTask()).ToArray();
        var elected = _singleflight.ExecuteAsync("a", static _ => new ValueTask<int>(7), _source.Token).AsTask();
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => isUnblocked.Wait());

        // The callbacks of the followers come after this one, so that the election finds them with a token that has fired.
        await using var ends = leavers.Token.Register(() =>
        {
            leaders.Cancel();
            end.SetCanceled();
        });
        try
        {
            await Task.Run(leavers.Cancel).SoonAsync();
        }
        finally
        {
            isUnblocked.Set();
        }

        await leader.LeavesWithAsync(leaders.Token);
        foreach (var call in calls) await call.LeavesWithAsync(leavers.Token);
        Assert.Equal(7, await elected.SoonAsync());
    }

    [Fact]
    public async Task A_wait_without_a_context_is_recorded_in_no_other_context()
    {
        var seen = new ConcurrentQueue<string?>();
        var local = new AsyncLocal<string?>();
        var end = new TaskCompletionSource<int>();
        using var source = new CancellationTokenSource();
        var after = new TaskCompletionSource<string?>();
        Task<int> leader;
        Task<int> leaver;
        using (ExecutionContext.SuppressFlow())
        {
            leader = _singleflight.ExecuteAsync("a", _ => end.Task, _source.Token).AsTask();
            GoOnWithoutContext(_singleflight.ExecuteAsync("a", _ => end.Task, _source.Token), () => after.SetResult(local.Value));
            leaver = _singleflight.ExecuteAsync("a", _ => end.Task, source.Token).AsTask();
        }

        _listener.SetMeasurementEventCallback<double>((_, _, _, _) =>
        {
            seen.Enqueue(Activity.Current?.OperationName ?? local.Value);
            local.Value = "leaked";
        });
        using (new Activity("canceller").Start())
        {
            source.Cancel();
            await leaver.LeavesWithAsync(source.Token);
            end.SetResult(7);
        }

        Assert.Equal(7, await leader.SoonAsync());
        Assert.Null(await after.Task.SoonAsync());
        await Patience.UntilAsync(() => seen.Count == 3, "three waits are recorded");
        Assert.All(seen, Assert.Null);
        Assert.Null(local.Value);
    }

    [Fact]
    public async Task A_wait_is_recorded_under_no_gate_of_another_shard()
    {
        var end = new TaskCompletionSource<int>();
        using var source = new CancellationTokenSource();
        var leader = _singleflight.ExecuteAsync("a", _ => end.Task).AsTask();
        var leaver = _singleflight.ExecuteAsync("a", _ => end.Task, source.Token).AsTask();
        var looks = new ConcurrentQueue<bool>();
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => looks.Enqueue(Task.Run(_singleflight.GetStats).Wait(Patience.Limit / 4)));

        // A clock that is asked for the time under the gate of "b" fires the token of a caller of "a".
        var asked = 0;
        _clock.OnTimestamp = () =>
        {
            if (++asked != 2) return; // at first, the wait of the caller of "b" begins
            _clock.OnTimestamp = null;
            source.Cancel();
        };
        var other = _singleflight.ExecuteAsync("b", _ => end.Task).AsTask();
        await leaver.LeavesWithAsync(source.Token);
        end.SetResult(7);
        await Task.WhenAll(leader, other).SoonAsync();
        Assert.All(looks, Assert.True);
    }

    [Fact]
    public async Task Every_wait_of_a_caller_with_a_token_is_measured_once_while_callers_leave_and_a_flight_lands()
    {
        const int Threads = 3;
        const int Rounds = 300;
        var calls = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var end = new TaskCompletionSource<int>();
            Crowd.Run(Threads, thread =>
            {
                var mine = new List<Task<int>>();
                var sources = new Queue<CancellationTokenSource>();
                for (var i = 0; !end.Task.IsCompleted || i < 20; i++)
                {
                    var source = new CancellationTokenSource();
                    sources.Enqueue(source);
                    mine.Add(_singleflight.ExecuteAsync("hot", end, static (end, flight) => end.Task.WaitAsync(flight.CancellationToken), source.Token).AsTask());
                    if (i % 3 == 0) sources.Dequeue().Cancel();
                    if (thread == 0 && i == 50) end.SetResult(7);
                }

                Task.WhenAll(mine).ContinueWith(static _ => { }, TaskScheduler.Default).SoonAsync().GetAwaiter().GetResult();
                Interlocked.Add(ref calls, mine.Count);
            });
        }

        await UntilMeasuredAsync(calls);
    }

    [Fact]
    public async Task A_thread_that_remembers_a_crowd_keeps_neither_the_services_nor_their_clock_alive()
    {
        var services = new List<WeakReference>();
        using var isUsed = new ManualResetEventSlim();
        using var isOver = new ManualResetEventSlim();
        var remembers = new Thread(() =>
        {
            UseOnThisThread(services);
            isUsed.Set();
            isOver.Wait();
        });
        remembers.UnsafeStart();
        Assert.True(isUsed.Wait(Patience.Limit));
        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                return services.TrueForAll(static service => !service.IsAlive);
            },
            "the services have been collected");
        isOver.Set();
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

    // The continuation sees the context of the thread that runs it.
    private static void GoOnWithoutContext(ValueTask<int> call, Action continuation) => call.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(continuation);

    private CancellationToken TokenIf(bool condition) => condition ? _source.Token : default;

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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void UseOnThisThread(List<WeakReference> used)
    {
        var tests = new WaitTests();
        used.AddRange([new WeakReference(tests._provider), new WeakReference(tests._clock)]);
        var end = new TaskCompletionSource<int>();
        var calls = Enumerable.Range(0, 5).Select(_ => tests._singleflight.ExecuteAsync("a", _ => end.Task).AsTask()).ToArray();
        end.SetResult(7);
        Assert.True(Task.WaitAll(calls, Patience.Limit));
        tests.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private async Task UntilMeasuredAsync(int waits)
    {
        await Patience.UntilAsync(() => _waits.Count >= waits, $"{waits} waits have been measured");
        Assert.Equal(waits, _waits.Count);
    }

    private sealed class Local : ILocalResult;
}
