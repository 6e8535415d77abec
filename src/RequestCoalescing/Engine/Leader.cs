using System.Diagnostics;

namespace RequestCoalescing.Engine;

/// <summary>The caller whose arrival started a flight.</summary>
internal sealed class Leader<TResult> : PooledWait<TResult>, IPooled
{
    public static int Size => 150;

    public static Leader<TResult> Rent()
    {
        var leader = Pool<Leader<TResult>>.Rent();
        leader.IsLeader = true;
        return leader;
    }

    public override IThreadPoolWorkItem Lead(Flight flight) =>
        throw new UnreachableException("There is no election unless the leader has cancelled, and a subscriber that has cancelled is not elected.");

    protected override void Recycle()
    {
        Reset();
        Pool<Leader<TResult>>.Return(this);
    }
}
