using System.Diagnostics;

namespace RequestCoalescing.Engine;

/// <summary>The caller whose arrival started a flight.</summary>
internal sealed class Leader<TResult> : Subscriber<TResult>
{
    public static Leader<TResult> Rent()
    {
        var leader = Pool<Leader<TResult>>.Rent();
        leader.IsLeader = true;
        return leader;
    }

    public override IThreadPoolWorkItem CreateRun(Flight<TResult> successor) =>
        throw new UnreachableException("A leader that has cancelled is not elected.");

    protected override void Recycle()
    {
        Reset();
        Pool<Leader<TResult>>.Return(this);
    }
}
