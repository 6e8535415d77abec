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
