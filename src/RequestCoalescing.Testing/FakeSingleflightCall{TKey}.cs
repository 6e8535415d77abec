namespace RequestCoalescing.Testing;

/// <summary>A call that a <see cref="FakeSingleflight{TKey}"/> has received.</summary>
/// <typeparam name="TKey">The type of the key.</typeparam>
/// <remarks>The properties follow the call until its caller has got the outcome. All members are safe to call from any number of threads at once.</remarks>
public sealed class FakeSingleflightCall<TKey>
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private RecordedCall? _task;
    private bool _isTaken;
    private FakeCallRole _role;
    private FakeCallStatus _status;
    private object? _result;
    private Exception? _exception;

    internal FakeSingleflightCall(TKey key, Type resultType, CancellationToken cancellationToken) =>
        (Key, ResultType, CancellationToken) = (key, resultType, cancellationToken);

    /// <summary>The key.</summary>
    public TKey Key { get; }

    /// <summary>The type of the result that the caller asked for.</summary>
    public Type ResultType { get; }

    /// <summary>The caller's token. The default if the caller passed none.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>
    /// Whether the call leads a flight or follows another call. A follower that is elected becomes the leader. With
    /// <see cref="SingleflightOptions.StartOnThreadPool"/>, a leader counts as a follower until its work begins.
    /// </summary>
    public FakeCallRole Role
    {
        get
        {
            lock (_gate) return _role;
        }
    }

    /// <summary>What the caller has got. It is set when the caller awaits the outcome, and before the caller continues.</summary>
    public FakeCallStatus Status
    {
        get
        {
            lock (_gate) return _status;
        }
    }

    /// <summary>The result that the caller got. Null unless <see cref="Status"/> is <see cref="FakeCallStatus.Succeeded"/>.</summary>
    public object? Result
    {
        get
        {
            lock (_gate) return _result;
        }
    }

    /// <summary>The exception that the caller got. Null if it got none.</summary>
    public Exception? Exception
    {
        get
        {
            lock (_gate) return _exception;
        }
    }

    /// <summary>Whether the caller waits for a flight now.</summary>
    internal bool IsWaiting
    {
        get
        {
            // A leader whose work has not yet reached its first await has no task.
            lock (_gate) return !_isTaken && _status == FakeCallStatus.InFlight && (_task is null ? _role == FakeCallRole.Leader : !_task.IsCompleted);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Key}: {Role}, {Status}";

    internal void Lead()
    {
        lock (_gate) _role = FakeCallRole.Leader;
    }

    /// <summary>The engine has taken the call.</summary>
    internal void Begin(RecordedCall task)
    {
        lock (_gate)
        {
            _task = task;
            if (_role == FakeCallRole.None && (!task.IsCompleted || task.IsCompletedSuccessfully)) _role = FakeCallRole.Follower;
        }
    }

    /// <summary>The caller is about to take the outcome.</summary>
    /// <returns>False if there is no outcome yet, or it has been taken.</returns>
    internal bool TryTake()
    {
        lock (_gate) return !_isTaken && (_isTaken = _task!.IsCompleted);
    }

    internal void Succeed(object? result)
    {
        lock (_gate) (_status, _result) = (FakeCallStatus.Succeeded, result);
    }

    internal void Fail(Exception exception)
    {
        lock (_gate) (_status, _exception) = (exception is OperationCanceledException ? FakeCallStatus.Cancelled : FakeCallStatus.Failed, exception);
    }
}
