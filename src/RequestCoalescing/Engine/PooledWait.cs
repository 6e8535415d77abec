using System.Threading.Tasks.Sources;

namespace RequestCoalescing.Engine;

/// <summary>
/// The pooled source of the task that a caller awaits when it waits for a flight and may leave it. The holder of the current version consumes it
/// once, and it returns to its pool at the same moment.
/// </summary>
/// <remarks>
/// Callers may misuse a <see cref="ValueTask{TResult}"/>: two may await it at once, or one may await it after its source serves another caller.
/// The misuse gets an <see cref="InvalidOperationException"/> from <see cref="GetResult"/>. No other member throws, because an exception there
/// would end the process. One word holds the version and the holder's progress. Each step of the holder is a compare-exchange on it, so that a
/// holder of an old version does not disturb a later wait.
/// </remarks>
internal abstract partial class PooledWait<TResult> : Subscriber, IValueTaskSource<TResult>
{
    // The holder's progress, above the 16 bits of the version.
    private const int Handed = 0;
    private const int Hooking = 1 << 16;
    private const int Hooked = 2 << 16;
    private const int Consumed = 3 << 16;

    // Its result is the outcome of the flight, or null if the caller has left. The caller itself makes its exception then.
    private ManualResetValueTaskSourceCore<object?> _core = new() { RunContinuationsAsynchronously = true };
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;
    private int _step = Consumed;
    private int _hookingThread; // negative if the holder asks for no synchronization context or scheduler; later the thread that continues
    private bool _isSpent;

    // Whether a thread is inside _core.SetResult and may still touch the core. A reset would disturb it.
    private bool _isSignalling;

    public override bool HasCancelled => _token.IsCancellationRequested;

    public override bool HasContext => Volatile.Read(ref _hookingThread) > 0;

    private bool IsWaiting => (HasArrived || Depth == InRing) && !HasLeft && Flight is { State: FlightState.InFlight, HasOutcome: false };

    /// <summary>The task that the caller awaits.</summary>
    public ValueTask<TResult> Wait => new(this, Version);

    /// <summary>The version that the holder of the task has.</summary>
    protected short Version => _core.Version;

    /// <summary>The caller's token.</summary>
    protected CancellationToken Token => _token;

    /// <summary>Whether the holder awaits the task.</summary>
    protected bool IsHooked => Volatile.Read(ref _step) >> 16 == Hooked >> 16;

    /// <summary>Begins the wait of a caller that is about to join a flight. Call it outside the gate. The caller can leave once it has joined.</summary>
    public void Begin(Flight flight, CancellationToken cancellationToken)
    {
        Flight = flight;
        Volatile.Write(ref _step, (ushort)_core.Version | Handed);
        if (!cancellationToken.CanBeCanceled) return;
        _token = cancellationToken;
        _registration = cancellationToken.UnsafeRegister(static (wait, token) => ((PooledWait<TResult>)wait!).Leave(token), this);
    }

    /// <summary>Ends the wait of a caller that could not enter the ring. No caller has its task.</summary>
    public void Withdraw()
    {
        Detach();
        Volatile.Write(ref _step, Consumed);
        if (!_isSpent) Recycle();
    }

    public override void Complete(object outcome, bool continuesHere)
    {
        Detach();
        if (IsMeasured) EndWait();
        if (!continuesHere || !IsHooked || _hookingThread > 0)
        {
            Signal(outcome);
            return;
        }

        // The last thing that the core does is to call the continuation, which may return this to its pool. Holders on other threads may not.
        _hookingThread = Environment.CurrentManagedThreadId;
        _core.RunContinuationsAsynchronously = false;
        Volatile.WriteBarrier();
        _core.SetResult(outcome);
    }

    public override void CompleteCancelled()
    {
        Detach();
        SignalLeft(null);
    }

    public override int Fetch() => _step + (_registration.Token.CanBeCanceled ? 1 : 0);

    public ValueTaskSourceStatus GetStatus(short token)
    {
        var step = Volatile.Read(ref _step);
        if (step != ((ushort)token | Handed) && step != ((ushort)token | Hooking) && step != ((ushort)token | Hooked)) return ValueTaskSourceStatus.Faulted;
        try
        {
            var status = _core.GetStatus(token);
            if (status == ValueTaskSourceStatus.Pending && step != ((ushort)token | Handed)) return ValueTaskSourceStatus.Faulted; // a second await
            if (status != ValueTaskSourceStatus.Succeeded) return status;
            return _core.GetResult(token) is { } outcome ? Outcome.StatusOf(outcome) : ValueTaskSourceStatus.Canceled;
        }
        catch (Exception)
        {
            return ValueTaskSourceStatus.Faulted; // another holder has consumed it at this moment
        }
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if (Interlocked.CompareExchange(ref _step, (ushort)token | Hooking, (ushort)token | Handed) != ((ushort)token | Handed))
        {
            Misuse.Resume(continuation, state, flags);
            return;
        }

        var continuesAnywhere = (flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) == 0 || (SynchronizationContext.Current is null && TaskScheduler.Current == TaskScheduler.Default);
        _hookingThread = continuesAnywhere ? -Environment.CurrentManagedThreadId : Environment.CurrentManagedThreadId;
        try
        {
            if (FlightScope.Current is { Shard.Settings.DetectDeadlocks: true } work && _core.GetStatus(token) == ValueTaskSourceStatus.Pending) WaitWithin(work);
            Hook(continuation, state, token, flags);
        }
        finally
        {
            // This fails if a synchronization context has resumed the caller at once, so that the wait is consumed already.
            if (Interlocked.CompareExchange(ref _step, (ushort)token | Hooked, (ushort)token | Hooking) == ((ushort)token | Hooking)) OnHooked();
        }
    }

    public TResult GetResult(short token)
    {
        // If several holders misuse one version, one of them gets the outcome, and the others get an error. The wait is not consumed while its
        // holder registers the continuation, which may run before the registration returns.
        var spinner = default(SpinWait);
        var step = Volatile.Read(ref _step);
        for (; step == ((ushort)token | Hooking) && Math.Abs(_hookingThread) != Environment.CurrentManagedThreadId; step = Volatile.Read(ref _step)) spinner.SpinOnce();
        if ((step != ((ushort)token | Handed) && step != ((ushort)token | Hooking) && step != ((ushort)token | Hooked)) ||
            _core.GetStatus(token) == ValueTaskSourceStatus.Pending ||
            Interlocked.CompareExchange(ref _step, Consumed, step) != step)
        {
            throw Misuse.Error();
        }

        var callersToken = _token;
        object? outcome;
        try
        {
            outcome = _core.GetResult(token);
        }
        finally
        {
            if (HasSignalled())
            {
                if (_isSpent) Discard();
                else Recycle();
            }
        }

        return outcome is null ? throw new OperationCanceledException(callersToken) : Outcome.ResultOf<TResult>(outcome);
    }

    /// <summary>Forgets everything about this wait.</summary>
    protected void Reset()
    {
        _core.Reset();
        _core.RunContinuationsAsynchronously = true;
        (_token, _registration) = (default, default);
        _hookingThread = 0;
        (Flight, WorkWait, Next, Previous) = (null, null, null, null);
        (HasArrived, HasLeft, IsLeader) = (false, false, false);
        Depth = 0;
    }

    /// <summary>Takes this out of the graph of waits, and its callback from the caller's token.</summary>
    protected void Detach()
    {
        if (WorkWait is { } wait) WaitGraph.Remove(wait);

        // A callback that runs right now still holds this wait, which must not serve another caller then.
        if (_token.CanBeCanceled && !_registration.Unregister()) _isSpent = true;
    }

    /// <summary>Lets go of the caller's work.</summary>
    protected virtual void Release()
    {
    }

    /// <summary>The holder awaits the task from now on.</summary>
    protected virtual void OnHooked()
    {
    }

    /// <summary>Resets this and returns it to its pool.</summary>
    protected abstract void Recycle();

    private void Hook(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        try
        {
            _core.OnCompleted(continuation, state, token, flags);
        }
        catch (Exception)
        {
            // There is an outcome by now, and a synchronization context that accepts no more work loses its caller.
        }
    }

    private void Signal(object? outcome)
    {
        _isSignalling = true;
        Volatile.WriteBarrier(); // a thread that sees the outcome sees this, too
        try
        {
            _core.SetResult(outcome);
        }
        catch (Exception)
        {
            // A synchronization context that accepts no more work loses its caller. The subscribers behind it must still be completed.
        }

        Volatile.Write(ref _isSignalling, false);
    }

    // The holder may get here before the completing thread has left the core. If that thread stays there for long, because a synchronization
    // context runs the holder inside Post, the wait is not pooled again.
    private bool HasSignalled()
    {
        if (!_core.RunContinuationsAsynchronously) return _hookingThread == Environment.CurrentManagedThreadId; // see Complete
        for (var spins = 0; Volatile.Read(ref _isSignalling); spins++)
        {
            if (spins == 100) return false;
            Thread.SpinWait(1);
        }

        return true;
    }

    // This serves no other caller, and others may refer to it for long. A callback that still runs reads its flight.
    private void Discard()
    {
        _core.Reset();
        (_token, _registration) = (default, default);
    }
}
