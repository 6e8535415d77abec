using RequestCoalescing.Engine;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// The callers without a token that join their node's flight while it leads for the cluster and its work goes on. The outcome is usually newer than all
/// of their calls. So they need not note when they came, and share one task: those that come between two heartbeats are a crowd.
/// </summary>
/// <remarks>
/// A caller enters the flight first, and then sees that the work goes on in the epoch of its crowd. The end of the work or of the epoch is noted first, and
/// then the clock is read. So that time is later than the arrival of each caller, and stands for all of them when the outcome has come. If the outcome was
/// forgotten, its time is that of a heartbeat (point 5 of the protocol), so that it falls between two crowds.
/// </remarks>
/// <param name="cluster">The node.</param>
/// <param name="key">The key.</param>
/// <param name="participation">The part that the node's flight takes in the cluster. It may not lead yet, or never.</param>
/// <param name="flight">The node's flight.</param>
internal sealed class Crowds<TKey, TResult>(ClusterSingleflight<TKey> cluster, TKey key, Participation participation, Task<Landing<TResult>> flight)
    where TKey : notnull
{
    private Crowd? _last;

    /// <summary>Whether a caller need not note when it came.</summary>
    public bool AreOpen => participation.WorkEpoch is not null;

    /// <summary>Adds a caller that has entered the flight.</summary>
    /// <returns>The task that it shares with others. Null if it must note when it came, or if it is the first of a crowd: see <see cref="Begin"/>.</returns>
    public Task<TResult>? Join() => Volatile.Read(ref _last) is { } crowd && participation.WorkEpoch == crowd.Epoch ? crowd.Task : null;

    /// <summary>Adds a caller that has entered the flight, and may be the first of a crowd.</summary>
    /// <param name="again">Calls again for this caller, if one of its crowd may have come too late for the outcome.</param>
    /// <returns>The task that it shares with others. Null if it must note when it came.</returns>
    public Task<TResult>? Begin(Func<ValueTask<TResult>> again)
    {
        var (last, epoch) = (Volatile.Read(ref _last), participation.WorkEpoch);
        if (epoch is null) return null;
        if (last?.Epoch == epoch) return last.Task;
        var crowd = new Crowd(epoch);
        if (Interlocked.CompareExchange(ref _last, crowd, last) != last) return null;
        _ = CompleteAsync(crowd, again);
        return crowd.Task;
    }

    private async Task CompleteAsync(Crowd crowd, Func<ValueTask<TResult>> again)
    {
        var outcome = OutcomeAsync(crowd, again);
        await ((Task)outcome).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        crowd.SetFromTask(outcome);
        Outcome.Observe(crowd.Task);
    }

    private async Task<TResult> OutcomeAsync(Crowd crowd, Func<ValueTask<TResult>> again)
    {
        try
        {
            var landing = await flight.ConfigureAwait(false);
            if (EndOf(crowd) <= landing.Until) return landing.Value;
        }
        catch (Exception error) when (EndOf(crowd) > cluster.UntilOf(error, key))
        {
            // The error may be older than a call.
        }

        return await again().ConfigureAwait(false);
    }

    private long EndOf(Crowd crowd)
    {
        try
        {
            return crowd.Epoch.Until is not 0 and var until ? until : participation.WorkedUntil();
        }
        catch (Exception)
        {
            return long.MaxValue; // the clock has failed, so that nothing shows when they came
        }
    }

    private sealed class Crowd(LeaseEpoch epoch) : TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public LeaseEpoch Epoch => epoch;
    }
}
