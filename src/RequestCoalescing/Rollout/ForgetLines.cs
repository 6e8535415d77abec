namespace RequestCoalescing.Rollout;

/// <summary>
/// Remembers the lines that <c>Forget</c> draws for calls that run alone, which no table of flights knows: a run that began before
/// the last line of its key is not current. Keys share lines, so that a run may seem forgotten that was not; never the other way.
/// </summary>
internal sealed class ForgetLines
{
    private readonly long[] _lines = new long[256];
    private long _all;

    public void Draw(int hash) => Interlocked.Increment(ref _lines[(byte)hash]);

    public void DrawAll() => Interlocked.Increment(ref _all);

    public long Read(int hash) => Volatile.Read(ref _lines[(byte)hash]) + Volatile.Read(ref _all);
}
