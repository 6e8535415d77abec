using System.Runtime.CompilerServices;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>This library, called through its interface. The dispatch of a generic interface method takes some nanoseconds.</summary>
public sealed class ByInterface(ISingleflight singleflight) : Peer
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        singleflight.ExecuteAsync(key, static _ => new ValueTask<string>(Value), cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        singleflight.ExecuteAsync(key, work, static (work, _) => new ValueTask<string>(work), cancellationToken);
}
