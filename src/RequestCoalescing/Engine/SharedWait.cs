using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace RequestCoalescing.Engine;

/// <summary>All callers of a flight that have no token, as one. They cannot leave, so that one task is enough for all of them.</summary>
internal sealed class SharedWait<TResult> : Subscriber
{
    private readonly TaskCompletionSource<TResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FollowerWork<TResult> _work;
    private Turnstile _callers = new();
    private object? _companion;

    /// <param name="work">The work of the first caller, for the case that these callers are elected to lead.</param>
    public SharedWait(FollowerWork<TResult> work)
    {
        _work = work;
        IsShared = true;
    }

    public Task<TResult> Task => _completion.Task;

    /// <summary>What a decorator of the engine keeps for these callers. Set once at most.</summary>
    public object? Companion => Volatile.Read(ref _companion);

    public override long CallerCount => _callers.Count;

    public override bool HasCancelled => false;

    /// <summary>Lets another caller join. Needs no gate: it succeeds exactly while the flight is current.</summary>
    /// <returns>See <see cref="Turnstile.Enter"/>.</returns>
    public long Enter() => _callers.Enter();

    /// <summary>Sets <see cref="Companion"/>, unless it is set.</summary>
    /// <returns>The companion.</returns>
    public object Accompany(object companion) => Interlocked.CompareExchange(ref _companion, companion, null) ?? companion;

    public override void CloseToJoiners() => _callers.Close();

    public override IThreadPoolWorkItem Lead(Flight flight)
    {
        IsLeader = true;
        return _work.CreateRun(flight);
    }

    public override void Complete(object outcome, bool continuesHere)
    {
        _completion.SetFromTask(Unsafe.As<Task<TResult>>(outcome)); // a flight with a shared wait never has another outcome: see Flight.CompleteFailed
        Outcome.Observe(_completion.Task);
    }

    public override void CompleteCancelled() => throw new UnreachableException("A caller without a token never leaves.");
}
