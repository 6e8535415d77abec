using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using RequestCoalescing.Engine;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>
/// A caller, until it has an outcome that did not exist before its call. It awaits its node's flight only when it is awaited itself, in the same
/// flow, as deadlock detection follows the awaits. A caller that joins a flight with a wait of its own is a <see cref="ClusterFollower{TKey, TState, TResult}"/>.
/// </summary>
/// <remarks>
/// <para>The flight gets the call as the state of its work, and reads it when the work starts. After a landing with a result, the engine starts no work
/// of this caller, so that the call can be pooled. If the caller got an error, it may have left, and its work may still start. Such a call is not pooled.</para>
/// <para>One word holds the version and the progress of the caller. Each step is a compare-exchange on it, so that a caller that misuses a
/// <see cref="ValueTask{TResult}"/> gets an error, and does not disturb a later call.</para>
/// </remarks>
internal sealed class Call<TKey, TState, TResult> : IValueTaskSource<TResult>, IPooled
    where TKey : notnull
{
    // The caller's progress, above the 16 bits of the version.
    private const int Handed = 0;
    private const int Looking = 1 << 16; // takes the outcome of the flight, without awaiting it
    private const int Settled = 2 << 16; // has an outcome, and has not awaited it
    private const int Awaited = 3 << 16;
    private const int Consumed = 4 << 16;

    private readonly Action _wake;
    private ClusterSingleflight<TKey> _cluster = null!;
    private TKey _key = default!;
    private TState _state = default!;
    private Func<TState, FlightContext, ValueTask<TResult>> _work = null!;
    private CancellationToken _token;
    private ExecutionContext? _arrival;
    private ExecutionContext? _waiting;
    private long _arrivedAt;
    private int _step = Consumed; // a pooled call keeps its version there, so that a caller that comes touches few cache lines
    private ValueTask<Landing<TResult>> _flight;
    private ManualResetValueTaskSourceCore<TResult> _outcome;
    private int _wakingThread;

    public Call() => _wake = Wake;

    public static int Size => 216 + Unsafe.SizeOf<TKey>() + Unsafe.SizeOf<TState>() + Unsafe.SizeOf<TResult>(); // with the delegate

    /// <summary>Starts a call.</summary>
    /// <param name="cluster">The node.</param>
    /// <param name="key">The key.</param>
    /// <param name="state">The state of the work.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <param name="joined">The node's flight, if the caller has joined it already.</param>
    public static ValueTask<TResult> Start(
        ClusterSingleflight<TKey> cluster,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken,
        Task<Landing<TResult>>? joined = null)
    {
        var call = cluster.PoolsCalls ? Pool<Call<TKey, TState, TResult>>.Rent() : new();
        (call._cluster, call._key, call._state, call._work, call._token) = (cluster, key, state, work, cancellationToken);
        call._arrival = ExecutionContext.Capture();
        if (joined is null) call.Board();
        else (call._arrivedAt, call._flight) = (cluster.Now(), new(joined));
        var version = (ushort)call._step;
        Volatile.Write(ref call._step, version | Handed);
        return new ValueTask<TResult>(call, (short)version);
    }

    /// <summary>The work of the node's flight, if this caller leads it.</summary>
    public ValueTask<Landing<TResult>> FlyAsync(FlightContext flight) => _cluster.FlyAsync(_key, _state, _work, flight);

    public ValueTaskSourceStatus GetStatus(short token)
    {
        Look(token);
        try
        {
            return _outcome.GetStatus(token);
        }
        catch (InvalidOperationException)
        {
            return ValueTaskSourceStatus.Faulted; // it serves another caller
        }
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        int step;
        var spinner = default(SpinWait);
        do
        {
            while ((step = Volatile.Read(ref _step)) == ((ushort)token | Looking)) spinner.SpinOnce(); // another thread asks whether the call is over
            if (step != ((ushort)token | Handed) && step != ((ushort)token | Settled))
            {
                Misuse.Resume(continuation, state, flags);
                return;
            }
        }
        while (!Step(step, (ushort)token | Awaited));

        _waiting = ExecutionContext.Capture();
        _outcome.OnCompleted(continuation, state, token, flags);
        if (step == ((ushort)token | Handed)) Await();
    }

    public TResult GetResult(short token)
    {
        Look(token);
        var step = Volatile.Read(ref _step);
        if ((step != ((ushort)token | Settled) && step != ((ushort)token | Awaited)) ||
            _outcome.GetStatus(token) == ValueTaskSourceStatus.Pending ||
            !Step(step, Consumed))
        {
            throw Misuse.Error();
        }

        var result = _outcome.GetResult(token);

        // Another thread may still be inside _outcome. The one that woke the caller does nothing there after it has resumed the caller.
        var isAlone = step == ((ushort)token | Settled) || _wakingThread == Environment.CurrentManagedThreadId;
        if (isAlone && _cluster.PoolsCalls) Recycle();
        return result;
    }

    private bool Step(int from, int to) => Interlocked.CompareExchange(ref _step, to, from) == from;

    // A caller that has not awaited the call takes its outcome, if there is one.
    private void Look(short token)
    {
        if (Volatile.Read(ref _step) != ((ushort)token | Handed) || !_flight.IsCompleted || !Step((ushort)token | Handed, (ushort)token | Looking)) return;
        Volatile.Write(ref _step, (ushort)token | (TrySettle() ? Settled : Handed));
    }

    private void Board()
    {
        _arrivedAt = _cluster.Now();
#pragma warning disable CA2012 // it is awaited once, later; an awaiter would be copied more often
        _flight = _cluster.BoardAsync(_key, this, _token);
#pragma warning restore CA2012
    }

    // Before the last line returns, the caller may have resumed, and this object may serve another caller.
    private void Await()
    {
        var flight = _flight.ConfigureAwait(false).GetAwaiter();
        flight.UnsafeOnCompleted(_wake);
    }

    private void Wake()
    {
        _wakingThread = Environment.CurrentManagedThreadId;
        if (_waiting is null) Go(this);
        else ExecutionContext.Run(_waiting, Go, this);

        static void Go(object? self)
        {
            var call = (Call<TKey, TState, TResult>)self!;
            if (!call.TrySettle()) call.Await();
        }
    }

    // Takes the outcome of the flight that has landed. If that outcome is older than the call, it boards another flight.
    private bool TrySettle()
    {
        while (_flight.IsCompleted)
        {
            var result = default(TResult)!;
            var error = default(Exception);
            var until = long.MaxValue;
            try
            {
                var landing = _flight.Result;
                (result, until) = (landing.Value, landing.Until);
            }
            catch (Exception exception)
            {
                (error, until) = (exception, _cluster.UntilOf(exception, _key));
            }

            if (_arrivedAt > until)
            {
                try
                {
                    ExecutionContext.Run(_arrival ?? FlightScope.Empty, static call => ((Call<TKey, TState, TResult>)call!).Board(), this);
                    continue;
                }
                catch (Exception exception)
                {
                    error = exception; // new calls are refused
                }
            }

            try
            {
                if (error is null) _outcome.SetResult(result);
                else _outcome.SetException(error);
            }
            catch (Exception)
            {
                // The caller's synchronization context accepts no more work, so that the caller cannot resume.
            }

            return true;
        }

        return false;
    }

    private void Recycle()
    {
        _outcome.Reset();
        _step = (ushort)_outcome.Version | Consumed;
        (_cluster, _key, _state, _work, _token) = (null!, default!, default!, null!, default);
        (_arrival, _waiting, _flight) = (null, null, default);
        _wakingThread = 0;
        Pool<Call<TKey, TState, TResult>>.Return(this);
    }
}
