namespace RequestCoalescing.Testing;

// The instructions that a test gives, and what a flight does with them.
public partial class FakeSingleflight<TKey>
{
    private readonly List<(FlightHold Hold, bool IsForAll, TKey Key)> _holds = [];
    private readonly Dictionary<TKey, Responses> _responses;

    /// <summary>
    /// Holds the flights of a key that start from now on: they are in flight and can be joined, and their work begins when the hold is released.
    /// A flight whose work has begun already is not affected.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <returns>The hold. Release or dispose it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public FlightHold Hold(TKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return AddHold(isForAll: false, key);
    }

    /// <summary>Holds the flights of all keys that start from now on, as <see cref="Hold"/> does. A flight under several holds waits for all of them.</summary>
    /// <returns>The hold. Release or dispose it.</returns>
    public FlightHold HoldAll() => AddHold(isForAll: true, default!);

    /// <summary>
    /// Makes the next flight of a key fail instead of running its work. Call it several times for several flights. It takes effect when the work
    /// would begin, so that it also affects a flight that is held.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="exception">
    /// The exception for every subscriber of the flight: the backend's error, a <see cref="FlightTimeoutException"/>, a
    /// <see cref="FlightRejectedException"/>, or an <see cref="OperationCanceledException"/>.
    /// </param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public void FailNext(TKey key, Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        Change(key, responses => responses.Next.Enqueue(new Response(exception, null)));
    }

    /// <summary>Makes every flight of a key fail, as <see cref="FailNext"/> does, until <see cref="Reset"/>. The next ones of a key come first.</summary>
    /// <param name="key">The key.</param>
    /// <param name="exception">The exception for every subscriber.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public void FailAll(TKey key, Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        Change(key, responses => responses.All = new Response(exception, null));
    }

    /// <summary>Makes the next flight of a key return a result instead of running its work. Call it several times for several flights.</summary>
    /// <param name="key">The key.</param>
    /// <param name="result">The result. If the call asks for another type, the call fails with an <see cref="InvalidOperationException"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public void ReturnNext(TKey key, object? result) => Change(key, responses => responses.Next.Enqueue(new Response(null, result)));

    /// <summary>Makes every flight of a key return a result, as <see cref="ReturnNext"/> does, until <see cref="Reset"/>. The next ones of a key come first.</summary>
    /// <param name="key">The key.</param>
    /// <param name="result">The result. If a call asks for another type, that call fails with an <see cref="InvalidOperationException"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public void ReturnAll(TKey key, object? result) => Change(key, responses => responses.All = new Response(null, result));

    /// <summary>
    /// Makes the next call for a key follow a leader that is cancelled together with its work, as happens when the request of another user is
    /// aborted. The call is then elected, and its own work runs. A correct caller notices nothing.
    /// </summary>
    /// <param name="key">The key. It should have no current flight; the call joins such a flight as usual, and no leader is cancelled.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    /// <remarks>The cancelled leader is not in <see cref="Calls"/>. It is counted in <see cref="GetStats"/>.</remarks>
    public void CancelNextLeader(TKey key) => Change(key, static responses => responses.CancelledLeaders++);

    private void Change(TKey key, Action<Responses> change)
    {
        ArgumentNullException.ThrowIfNull(key);
        lock (_gate)
        {
            if (!_responses.TryGetValue(key, out var responses)) _responses.Add(key, responses = new Responses());
            change(responses);
        }
    }

    private FlightHold AddHold(bool isForAll, TKey key)
    {
        var hold = new FlightHold(released =>
        {
            lock (_gate) _holds.RemoveAll(held => held.Hold == released);
        });
        lock (_gate) _holds.Add((hold, isForAll, key));
        return hold;
    }

    private FlightHold? FindHold(TKey key)
    {
        lock (_gate) return _holds.Find(held => held.IsForAll || _comparer.Equals(held.Key, key)).Hold;
    }

    /// <summary>The work of a flight.</summary>
    private ValueTask<TResult> RunAsync<TState, TResult>(
        FakeSingleflightCall<TKey> call,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        call.Lead();
        SignalCallers();
        return FindHold(call.Key) is null ? Respond(call.Key, state, work, flight) : RunHeldAsync(call.Key, state, work, flight);
    }

    private async ValueTask<TResult> RunHeldAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        while (FindHold(key) is { } hold) await hold.Released.WaitAsync(flight.CancellationToken).ConfigureAwait(false);
        return await Respond(key, state, work, flight).ConfigureAwait(false);
    }

    private ValueTask<TResult> Respond<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        FlightContext flight)
    {
        Response? response = null;
        lock (_gate)
        {
            if (_responses.TryGetValue(key, out var responses) && !responses.Next.TryDequeue(out response)) response = responses.All;
        }

        return response is null ? work(state, flight) : new ValueTask<TResult>(response.Give<TResult>());
    }

    /// <summary>Leads a flight of the key with work that ends with its leader's token, if the test has asked for that.</summary>
    /// <returns>Cancels the leader. Null if the test has not asked for it.</returns>
    private CancellationTokenSource? LeadUntilCancelled<TResult>(TKey key)
    {
        lock (_gate)
        {
            if (!_responses.TryGetValue(key, out var responses) || responses.CancelledLeaders == 0) return null;
            responses.CancelledLeaders--;
        }

        var source = new CancellationTokenSource();
#pragma warning disable CA2012, RC001 // the outcome of this leader concerns no caller, and its work must end with it
        _ = _engine.ExecuteAsync(key, source.Token, static (token, _) => new Backend<TResult>().RunAsync(token), source.Token);
#pragma warning restore CA2012, RC001
        return source;
    }
}
