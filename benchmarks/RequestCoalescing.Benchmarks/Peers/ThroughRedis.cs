using System.Runtime.CompilerServices;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>This library, as a node of a cluster. Its work begins when the server has granted a lease.</summary>
public sealed class ThroughRedis(ISingleflight node) : Peer
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        node.ExecuteAsync(key, static _ => new ValueTask<string>(Value), cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        node.ExecuteAsync(
            key,
            work,
            static (work, _) =>
            {
                ((ManualResetEventSlim)work.AsyncState!).Set();
                return new ValueTask<string>(work);
            },
            cancellationToken);

    public override void WaitForBegin(Task<string> work) => ((ManualResetEventSlim)work.AsyncState!).Wait();
}
