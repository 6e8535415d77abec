namespace RequestCoalescing.Tests;

/// <summary>A leader whose work blocks its thread before the first await, so that the leader is not a subscriber yet.</summary>
internal static class BlockedLeader
{
    /// <summary>Starts the flight on another thread. The work returns 1 when it is released.</summary>
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
