namespace RequestCoalescing.Engine;

/// <summary>
/// The shutdown of one engine, or of all engines of a host together. Until they are empty at the same moment, it admits the calls that
/// the flights make that were in the air when it began, and the calls of the flights that those start. Nothing else is admitted.
/// </summary>
/// <remarks>
/// Every flight has an epoch: the number of drains that had begun in the process when it took off. A flight that takes off within the work
/// of another one has the epoch of that one. So a drain admits exactly the flights of the epochs before its own.
/// </remarks>
internal sealed class Drain
{
    private static readonly Lock s_gate = new();
    private static int s_epoch;

    // Admitted are the epochs below this. All of them, until the drain has begun; none, when it is over.
    private int _line = int.MaxValue;

    /// <summary>The epoch of a flight that takes off here and now. Under the gate of its shard, before <see cref="Admits"/> is asked.</summary>
    public static int CurrentEpoch()
    {
        var epoch = Volatile.Read(ref s_epoch);
        return epoch != 0 && FlightScope.Current is { } work ? work.Epoch : epoch; // while nothing was ever drained, nobody asks whose call this is
    }

    public bool Admits(int epoch) => epoch < Volatile.Read(ref _line);

    /// <summary>Drains engines together.</summary>
    /// <param name="engines">The engines. An engine that drains already keeps its drain, and is waited for.</param>
    /// <param name="deadline">Ends the wait.</param>
    /// <returns>Whether all were empty before the deadline.</returns>
    public static async Task<bool> RunAsync(IReadOnlyList<IEngine> engines, CancellationToken deadline)
    {
        if (engines.Count == 0) return true;

        // A call that has not seen the drain has an epoch from before it: it holds the gate of its shard while it decides, and every gate is
        // passed before the new epoch begins.
        var drain = new Drain();
        foreach (var engine in engines) engine.Settings.StartDrain(drain);
        foreach (var shard in engines.SelectMany(engine => engine.Shards)) shard.PassGate();
        drain.Begin();

        // What was in the air when the drain began is over by then. Flights that start each other one after the other could go on for ever.
        var longest = engines.MaxBy(engine => engine.Settings.MaxDuration)!.Settings;
        using var bound = new CancellationTokenSource(longest.MaxDuration, longest.Clock);
        using var registration = bound.Token.UnsafeRegister(static drain => ((Drain)drain!).Close(), drain);
        while (true)
        {
            if (AreEmpty(engines))
            {
                drain.Close();
                if (AreEmpty(engines)) return true; // a call of a flight of another engine may have come in between
            }

            var landed = Task.WhenAll(engines.SelectMany(engine => engine.Shards).Select(shard => shard.WhenEmptyAsync()));
            await landed.WaitAsync(deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!landed.IsCompleted) return false;
        }
    }

    // Looked at twice: a shard that was empty both times, and that no flight has entered in between, was empty all the time between. So all of
    // them were, at the moment when the first look was over.
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
