namespace RequestCoalescing.Tests;

/// <summary>A leader whose work blocks its thread before its first await, so that it is not aboard yet.</summary>
internal static class BlockedLeader
{
    /// <summary>Takes off on a thread of its own; the work gives 1 when it is released.</summary>
    public static async Task<Task<int>> TakeOffAsync(Singleflight singleflight, string key, ManualResetEventSlim release)
    {
        var leader = Task.Run(async () => await singleflight.ExecuteAsync(key, _ =>
        {
            release.Wait(Patience.Limit);
            return ValueTask.FromResult(1);
        }));
        await singleflight.UntilSubscribersAsync(1);
        return leader;
    }
}
