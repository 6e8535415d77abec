using System.Runtime.CompilerServices;

namespace RequestCoalescing;

/// <summary>
/// Coalesces concurrent calls for the same thing: however many callers ask for a key at the same time, the work runs once and
/// all of them share its outcome.
/// </summary>
/// <typeparam name="TKey">
/// What names the result wanted. Every parameter that changes the result belongs into it, the viewer included where the result
/// depends on who asks; a tuple or a record does that without building strings.
/// </typeparam>
/// <remarks>
/// <para>Not a cache: nothing of a flight is kept after it has landed. Not a lock: callers share an outcome, they do not take
/// turns. Never for writes: the second of two coalesced writes does not happen.</para>
/// <para>All members are safe to call from any number of threads at once.</para>
/// <para>A returned <see cref="ValueTask{TResult}"/> is awaited once, as any other.</para>
/// </remarks>
public interface ISingleflight<TKey>
    where TKey : notnull
{
    /// <summary>Joins the current flight of <paramref name="key"/>, or starts one with <paramref name="work"/>.</summary>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="key">Names the result wanted. Equal keys, same result.</param>
    /// <param name="work">
    /// Makes the result. It gets the flight's own token, which fires when the last subscriber has left or the flight has expired;
    /// it should not capture a caller's token. It runs only if this call starts a flight.
    /// </param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others; the last to leave cancels it.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> or <paramref name="work"/> is null.</exception>
    /// <exception cref="InvalidOperationException">A flight of this key with another result type is in the air.</exception>
    /// <exception cref="ObjectDisposedException">The instance has been disposed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the exception carries it.</exception>
    /// <exception cref="FlightTimeoutException">The flight exceeded <see cref="SingleflightOptions.MaxDuration"/>.</exception>
    /// <exception cref="FlightRejectedException">A limit was reached, and overflow is rejected.</exception>
    /// <exception cref="FlightDeadlockException">This call waits for the very flight in whose work it is made.</exception>
    /// <remarks>An exception of the work reaches every subscriber of its flight as it is.</remarks>
    [OverloadResolutionPriority(1)]
    ValueTask<TResult> ExecuteAsync<TResult>(
        TKey key,
        Func<CancellationToken, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>
    ValueTask<TResult> ExecuteAsync<TResult>(
        TKey key,
        Func<CancellationToken, Task<TResult>> work,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>
    /// <typeparam name="TState">The type of <paramref name="state"/>.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="key">Names the result wanted. Equal keys, same result.</param>
    /// <param name="state">Handed to <paramref name="work"/>, so that it needs no closure.</param>
    /// <param name="work">Makes the result, with a view of its flight. It runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others; the last to leave cancels it.</param>
    [OverloadResolutionPriority(1)]
    ValueTask<TResult> ExecuteAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="ExecuteAsync{TState, TResult}(TKey, TState, Func{TState, FlightContext, ValueTask{TResult}}, CancellationToken)"/>
    ValueTask<TResult> ExecuteAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, Task<TResult>> work,
        CancellationToken cancellationToken = default);

    /// <summary>
    /// Draws a line: callers after it start anew, subscribers before it get the outcome they wait for. Call it when what the key
    /// names has changed.
    /// </summary>
    /// <param name="key">The key whose current flight is forgotten.</param>
    /// <returns><see langword="true"/> if a flight was in the air.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    bool Forget(TKey key);

    /// <summary>Forgets every current flight, as <see cref="Forget"/> does. Breaks nobody's promise.</summary>
    void Clear();

    /// <summary>What is in the air now, and the totals since the start.</summary>
    /// <returns>A snapshot; its parts may be of slightly different moments while calls go on.</returns>
    SingleflightStats GetStats();
}
