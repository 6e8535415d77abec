using System.Diagnostics;
using ViralPost.Data;
using ViralPost.Strategies;

namespace ViralPost.Load;

/// <summary>
/// Holds the requests of a burst at the app until all have arrived, and then lets them in together. The sender shares the machine with the app,
/// and could not send them all within 50 ms.
/// </summary>
internal sealed class Door(Strategy strategy, int requests) : Strategy
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _arrived;
    private int _entered;

    /// <summary>When the door opened. 0 while it is closed.</summary>
    public long OpenedAt { get; private set; }

    /// <summary>The time from the opening until the last request had entered.</summary>
    public TimeSpan EnteredWithin { get; private set; }

    public override async ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _arrived) == requests)
        {
            OpenedAt = Stopwatch.GetTimestamp();
            _open.SetResult();
        }

        await _open.Task.WaitAsync(cancellationToken);
        if (Interlocked.Increment(ref _entered) == requests) EnteredWithin = Stopwatch.GetElapsedTime(OpenedAt);
        return await strategy.GetPostAsync(id, cancellationToken);
    }
}
