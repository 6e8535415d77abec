namespace RequestCoalescing.Rollout;

/// <summary>
/// Makes <c>Forget</c> work for calls that run alone, which are in no table of flights. Each <c>Forget</c> draws a line for its key, and a run
/// that began before the last line is not current. Keys share lines, so that a run may count as forgotten although it was not. A forgotten run
/// never counts as current.
/// </summary>
internal sealed class ForgetLines
{
    private readonly long[] _lines = new long[256];
    private long _all;

    public void Draw(int hash) => Interlocked.Increment(ref _lines[(byte)hash]);

    public void DrawAll() => Interlocked.Increment(ref _all);

    public long Read(int hash) => Volatile.Read(ref _lines[(byte)hash]) + Volatile.Read(ref _all);
}
