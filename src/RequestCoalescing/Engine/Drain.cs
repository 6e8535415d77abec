namespace RequestCoalescing.Engine;

/// <summary>
/// The shutdown of one engine, or of all engines of a host together. It refuses new calls, except those that come from the work of flights that
/// were in the air when it began, and from the work of the flights that these calls start. It is over when all engines are empty at the same
/// moment.
/// </summary>
/// <remarks>
/// Every flight has an epoch: the number of drains that had begun in the process when it took off. A flight that the work of another flight
/// starts has the epoch of that flight. A drain therefore admits exactly the flights of earlier epochs.
/// </remarks>
internal sealed class Drain
{
    private static readonly Lock s_gate = new();
    private static int s_epoch;

    // Epochs below this are admitted. Before the drain begins, every epoch is; after it, none is.
    private int _line = int.MaxValue;

    /// <summary>Returns the epoch of a flight that takes off now. Call it under the gate of the shard, before <see cref="Admits"/>.</summary>
    public static int CurrentEpoch()
    {
        var epoch = Volatile.Read(ref s_epoch);
        return epoch != 0 && FlightScope.Current is { } work ? work.Epoch : epoch; // before the first drain, the origin of a call does not matter
    }

    public bool Admits(int epoch) => epoch < Volatile.Read(ref _line);

    /// <summary>Drains engines together.</summary>
    /// <param name="engines">The engines. An engine that is already draining keeps its drain, and this one waits for it.</param>
    /// <param name="deadline">Ends the wait.</param>
    /// <returns>Whether all engines were empty before the deadline.</returns>
    public static async Task<bool> RunAsync(IReadOnlyList<IEngine> engines, CancellationToken deadline)
    {
        if (engines.Count == 0) return true;

        // A call takes off while it holds the gate of its shard. Each gate is taken here before the new epoch begins, so that a flight whose call has
        // not seen the drain has an earlier epoch. A call that joins needs no epoch: the drain waits for its flight anyway.
        var drain = new Drain();
        foreach (var engine in engines) engine.Settings.StartDrain(drain);
        foreach (var shard in engines.SelectMany(engine => engine.Shards)) shard.PassGate();
        drain.Begin();

        // By then the flights that were in the air when the drain began are over. Without this limit, flights that start each other could go on
        // for ever.
        var longest = engines.MaxBy(engine => engine.Settings.MaxDuration)!.Settings;
        using var bound = new CancellationTokenSource(longest.MaxDuration, longest.Clock);
        using var registration = bound.Token.UnsafeRegister(static drain => ((Drain)drain!).Close(), drain);
        while (true)
        {
            if (AreEmpty(engines))
            {
                drain.Close();
                if (AreEmpty(engines)) return true; // otherwise the work of another engine's flight has called in between
            }

            var landed = Task.WhenAll(engines.SelectMany(engine => engine.Shards).Select(shard => shard.WhenEmptyAsync()));
            await landed.WaitAsync(deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!landed.IsCompleted) return false;
        }
    }

    // Each shard is looked at twice. If it was empty both times and no flight has entered in between, it was empty all the time. At the end of
    // the first look, therefore, all shards were empty at once.
    private static bool AreEmpty(IReadOnlyList<IEngine> engines)
    {
        var before = Look();
        return before is not null && Look() == before;

        long? Look()
        {
            var entered = 0L;
            foreach (var shard in engines.SelectMany(engine => engine.Shards))
            {
                if (!shard.IsEmpty(ref entered)) return null;
            }

            return entered;
        }
    }

    private void Begin()
    {
        lock (s_gate)
        {
            Volatile.Write(ref _line, s_epoch + 1);
            Volatile.Write(ref s_epoch, s_epoch + 1);
        }
    }

    private void Close() => Volatile.Write(ref _line, int.MinValue);
}
