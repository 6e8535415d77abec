using System.Runtime.CompilerServices;

namespace RequestCoalescing.Tests;

/// <summary>What stays on the heap. It is measured while no other test runs.</summary>
[Collection(nameof(HeapTests))]
[CollectionDefinition(nameof(HeapTests), DisableParallelization = true)]
public sealed class HeapTests
{
    [Fact]
    public async Task A_burst_of_callers_with_a_large_state_leaves_little_in_the_pool()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        await BurstAsync(10);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await BurstAsync(10_000);
        var kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(kept < 8 * 1024 * 1024, $"{kept} bytes are kept.");

        async Task BurstAsync(int count)
        {
            var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            var calls = Enumerable.Range(0, count).Select(_ => singleflight.ExecuteAsync(
                "a", new LargeState(end.Task), static async (state, _) => await state.Task, alive.Token).AsTask()).ToArray();
            end.SetResult(1);
            await Task.WhenAll(calls).SoonAsync();
        }
    }

    [Fact]
    public async Task Callers_that_have_left_a_flight_do_not_pile_up_in_it()
    {
        const int Callers = 100_000;
        await using var singleflight = new Singleflight();
        var (end, stay, calls) = StartFlight(singleflight);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Callers; i++)
        {
            using var leaves = new CancellationTokenSource();
            var leaver = singleflight.ExecuteAsync("a", _ => end.Task, leaves.Token).AsTask();
            await leaves.CancelAsync();
            await leaver.LeavesWithAsync(leaves.Token);
        }

        var kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(kept < Callers * 20, $"{kept} bytes are kept.");
        end.SetResult(1);
        await Task.WhenAll(calls).SoonAsync();
        stay.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_caller_that_has_left_brought_is_free_while_others_wait(bool awaits)
    {
        const int Callers = 1_000;
        await using var singleflight = new Singleflight();
        var (end, stay, calls) = StartFlight(singleflight);
        var (states, sources, leavers) = (new List<WeakReference>(), new List<WeakReference>(), new List<ValueTask<int>>());
        for (var i = 0; i < Callers; i++)
        {
            await LeaveAsync(singleflight, end.Task, states, sources, awaits ? null : leavers);
            calls.Add(singleflight.ExecuteAsync("a", _ => end.Task, stay.Token).AsTask());
        }

        GC.Collect();
        var kept = (States: states.Count(static state => state.IsAlive), Sources: awaits ? sources.Count(static source => source.IsAlive) : 0);
        Assert.True(kept is { States: < Callers / 10, Sources: < Callers / 10 }, $"{kept} are kept."); // a leaver that is slow to leave keeps something
        end.SetResult(1);
        await Task.WhenAll(calls).SoonAsync();
        foreach (var leaver in leavers) await Assert.ThrowsAsync<OperationCanceledException>(leaver.AsTask);
        stay.Dispose();
    }

    // From the third caller on, callers with a token join without the gate.
    private static (TaskCompletionSource<int> End, CancellationTokenSource Stay, List<Task<int>> Calls) StartFlight(Singleflight singleflight)
    {
        var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var stay = new CancellationTokenSource();
        return (end, stay, [.. Enumerable.Range(0, 3).Select(_ => singleflight.ExecuteAsync("a", _ => end.Task, stay.Token).AsTask())]);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task LeaveAsync(Singleflight singleflight, Task<int> end, List<WeakReference> states, List<WeakReference> sources, List<ValueTask<int>>? kept)
    {
        using var leaves = new CancellationTokenSource();
        var state = new StateOfCaller(end);
        states.Add(new WeakReference(state));
        sources.Add(new WeakReference(leaves));
        var leaver = singleflight.ExecuteAsync("a", state, static async (state, _) => await state.Task, leaves.Token);
        await leaves.CancelAsync();
        if (kept is null) await leaver.AsTask().LeavesWithAsync(leaves.Token);
        else kept.Add(leaver);
    }

    private sealed class StateOfCaller(Task<int> task)
    {
        public Task<int> Task => task;
    }

    private readonly struct LargeState(Task<int> task)
    {
        public readonly Filler Ballast = default;

        public Task<int> Task { get; } = task;

        [InlineArray(4096)]
        public struct Filler
        {
            private byte _first;
        }
    }
}
