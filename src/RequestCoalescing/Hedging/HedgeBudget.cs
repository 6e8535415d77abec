namespace RequestCoalescing.Hedging;

/// <summary>Limits second runs to a share of the flights.</summary>
internal sealed class HedgeBudget
{
    // In millionths of a run.
    private const int One = 1_000_000;
    private const int Most = 10 * One;

    private int _saved = Most;

    /// <summary>A flight has taken off.</summary>
    public void Earn(double share) => Add((int)Math.Ceiling(share * One));

    /// <returns>False if too few flights have taken off since the last second runs.</returns>
    public bool TrySpend() => Add(-One);

    private bool Add(int amount)
    {
        for (var saved = Volatile.Read(ref _saved); ;)
        {
            var next = Math.Min(Most, saved + amount);
            if (next < 0) return false;
            if (next == saved) return true;
            var found = Interlocked.CompareExchange(ref _saved, next, saved);
            if (found == saved) return true;
            saved = found;
        }
    }
}
