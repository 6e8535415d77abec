using System.Runtime.CompilerServices;

namespace RequestCoalescing.Benchmarks.Peers;

/// <summary>This library, with its default options.</summary>
public sealed class Ours : Peer
{
    private readonly Singleflight _singleflight = new();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> LeadAsync(string key, CancellationToken cancellationToken) =>
        _singleflight.ExecuteAsync(key, static _ => new ValueTask<string>(Value), cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public override ValueTask<string> CallAsync(string key, Task<string> work, CancellationToken cancellationToken) =>
        _singleflight.ExecuteAsync(key, work, static (work, _) => new ValueTask<string>(work), cancellationToken);
}
