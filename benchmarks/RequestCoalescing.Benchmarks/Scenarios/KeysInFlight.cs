using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>Measures the memory of 100,000 keys in flight, beyond the keys and the tasks that their work waits for.</summary>
public static class KeysInFlight
{
    public const int Keys = 100_000;

    public static double MeasureBytesPerKey(Peer peer)
    {
        var keys = Enumerable.Range(0, Keys).Select(key => $"{Peer.Key}:{key}").ToArray();
        var work = keys.Select(_ => new TaskCompletionSource<string>()).ToArray();
        var calls = new ValueTask<string>[Keys];

        // The memory that the runtime adds to an awaited task counts as the work's own state.
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var key = 0; key < Keys; key++) calls[key] = peer.CallAsync(keys[key], work[key].Task, default);
        var after = GC.GetTotalMemory(forceFullCollection: true);

        for (var key = 0; key < Keys; key++)
        {
            work[key].SetResult(Peer.Value);
            calls[key].AsTask().GetAwaiter().GetResult();
        }

        return (double)(after - before) / Keys;
    }
}
