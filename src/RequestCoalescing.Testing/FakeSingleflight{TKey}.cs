using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Testing;

/// <summary>
/// An <see cref="ISingleflight{TKey}"/> for tests of code that uses one. It coalesces as the real one does, because a real engine is inside. It
/// also records the calls, and a test can hold flights, wait for callers, and replace the work by a result or an error.
/// </summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
/// <remarks>
/// <para>Without further instructions, a call joins the current flight of its key or runs its work at once.</para>
/// <para>All members are safe to call from any number of threads at once. The class is not sealed because <see cref="FakeSingleflight"/> derives
/// from it. Do not derive from it yourself.</para>
/// </remarks>
/// <example>
/// A test that two callers share one query:
/// <code>
/// var fake = new FakeSingleflight();
/// var posts = new PostService(fake, database, cache);
/// using var hold = fake.Hold("post:1");
/// var first = posts.GetAsync(1);
/// var second = posts.GetAsync(1);
/// await fake.WaitForCallersAsync("post:1", 2);
/// hold.Release();
/// Assert.Same(await first, await second);
/// Assert.Equal(1, database.Queries);
/// </code>
/// </example>
public partial class FakeSingleflight<TKey> : SingleflightBase<TKey>, IScopedSingleflight, IAsyncDisposable, IDisposable
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Singleflight<TKey> _engine;
    private readonly IEqualityComparer<TKey> _comparer;
    private readonly List<FakeSingleflightCall<TKey>> _calls = [];
    private readonly List<TKey> _forgets = [];
    private readonly List<Waiter> _waiters = [];
    private int _clears;

    /// <summary>Creates a fake.</summary>
    /// <param name="options">
    /// The options of the engine inside. The object is copied. Null for the defaults: without limits, and a flight, held or not, gets a
    /// <see cref="FlightTimeoutException"/> after 30 seconds of real time. Pass a fake <see cref="SingleflightOptions.TimeProvider"/> to test
    /// <see cref="SingleflightOptions.MaxDuration"/> or <see cref="SingleflightOptions.JoinWindow"/>. By default, the fake is not in the process's
    /// metrics; in options of your own, <see cref="SingleflightOptions.IsReported"/> decides.
    /// </param>
    /// <param name="comparer">Says which keys are equal. Null for <see cref="EqualityComparer{T}.Default"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    public FakeSingleflight(SingleflightOptions? options = null, IEqualityComparer<TKey>? comparer = null)
    {
        _engine = new Singleflight<TKey>(options ?? new SingleflightOptions { IsReported = false }, comparer);
        _comparer = comparer ?? EqualityComparer<TKey>.Default;
        _responses = new Dictionary<TKey, Responses>(_comparer);
    }

    /// <summary>The calls so far, in the order in which they arrived. A snapshot of the list; each call is updated until its caller has got the outcome.</summary>
    public IReadOnlyList<FakeSingleflightCall<TKey>> Calls
    {
        get
        {
            lock (_gate) return [.. _calls];
        }
    }

    /// <summary>The keys that were forgotten with <see cref="ISingleflight{TKey}.Forget"/> so far, in order. A snapshot.</summary>
    public IReadOnlyList<TKey> Forgets
    {
        get
        {
            lock (_gate) return [.. _forgets];
        }
    }

    /// <summary>How often <see cref="Clear"/> was called.</summary>
    public int ClearCount
    {
        get
        {
            lock (_gate) return _clears;
        }
    }

    /// <summary>
    /// Creates the service scopes for <c>ExecuteInScopeAsync</c>. Null, so that <c>ExecuteInScopeAsync</c> throws, unless <c>AddFakeSingleflight</c> has
    /// registered the fake.
    /// </summary>
    public IServiceScopeFactory? Scopes { get; internal set; }

    /// <summary>
    /// Waits until at least this number of callers wait for flights of the key. A caller waits from when it has joined or started a flight until
    /// it gets the outcome or leaves. Hold the key first, so that no caller gets an outcome too early.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="count">The number of callers. Range: 1 and up.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the callers wait.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    /// <exception cref="TimeoutException">There were fewer callers after <see cref="Patience.Limit"/> (30 seconds of real time).</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    public async Task WaitForCallersAsync(TKey key, int count, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var waiter = new Waiter(key, count);
        lock (_gate)
        {
            if (CountCallers(key) >= count) return;
            _waiters.Add(waiter);
        }

        try
        {
            await waiter.Reached.Task.WaitAsync(Patience.Limit, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception)
        {
            int callers;
            lock (_gate) callers = CountCallers(key);
            throw new TimeoutException(
                $"The test waited {Patience.Limit.TotalSeconds} seconds for {count} callers of the key '{key}'. Now {callers} callers wait for it.", exception);
        }
        finally
        {
            lock (_gate) _waiters.Remove(waiter);
        }
    }

    /// <summary>
    /// Releases all holds, and drops the recorded calls, forgets and clears, and the instructions for future calls. Flights go on, but
    /// <see cref="WaitForCallersAsync"/> no longer counts callers from before. Call it between tests that share the fake.
    /// </summary>
    public void Reset()
    {
        FlightHold[] holds;
        lock (_gate)
        {
            _calls.Clear();
            _forgets.Clear();
            _responses.Clear();
            _clears = 0;
            holds = [.. _holds.Select(held => held.Hold)];
        }

        foreach (var hold in holds) hold.Release();
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        lock (_gate) _clears++;
        _engine.Clear();
    }

    /// <inheritdoc/>
    public override SingleflightStats GetStats() => _engine.GetStats();

    /// <summary>Cancels the flights, and waits for their work no longer than <see cref="SingleflightOptions.MaxDuration"/>. Later calls fail.</summary>
    /// <returns>Completes when no flight is left.</returns>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return _engine.DisposeAsync();
    }

    /// <summary>Cancels the flights and does not wait for their work. Later calls fail.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _ = _engine.DisposeAsync().AsTask();
    }

    /// <inheritdoc/>
    protected sealed override bool ForgetCore(TKey key)
    {
        lock (_gate) _forgets.Add(key);
        return _engine.Forget(key);
    }

    /// <inheritdoc/>
    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var call = new FakeSingleflightCall<TKey>(key, typeof(TResult), cancellationToken);
        lock (_gate) _calls.Add(call);
        using var leader = LeadUntilCancelled<TResult>(key);
        try
        {
            var task = new RecordedCall<TKey, TResult>(
                _engine.ExecuteAsync(key, (Fake: this, Call: call, State: state, Work: work), static (run, flight) => run.Fake.RunAsync(run.Call, run.State, run.Work, flight), cancellationToken),
                call);
            call.Begin(task);
            SignalCallers();
            return new ValueTask<TResult>(task, 0);
        }
        catch (Exception exception)
        {
            call.Fail(exception);
            throw;
        }
        finally
        {
            leader?.Cancel();
        }
    }

    private void SignalCallers()
    {
        lock (_gate)
        {
            foreach (var waiter in _waiters)
            {
                if (CountCallers(waiter.Key) >= waiter.Count) waiter.Reached.TrySetResult();
            }
        }
    }

    private int CountCallers(TKey key) => _calls.Count(call => _comparer.Equals(call.Key, key) && call.IsWaiting);

    private sealed record Waiter(TKey Key, int Count)
    {
        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
