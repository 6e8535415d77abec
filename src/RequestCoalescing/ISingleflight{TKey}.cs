using System.Runtime.CompilerServices;

namespace RequestCoalescing;

/// <summary>
/// Coalesces concurrent calls for the same result. However many callers ask for a key at the same time, the work runs once, and all of them
/// share its outcome.
/// </summary>
/// <typeparam name="TKey">
/// The type of the keys. A key names the result that a caller wants, and must contain every parameter that changes the result. If the result
/// depends on the viewer, the key must contain the viewer. A tuple or a record does that without building strings.
/// </typeparam>
/// <remarks>
/// <para>It is not a cache: nothing is kept after a flight has landed. It is not a lock: callers share an outcome and do not take turns. Never
/// use it for writes: the second of two coalesced writes does not happen.</para>
/// <para>All members are safe to call from any number of threads at once.</para>
/// <para>Await a returned <see cref="ValueTask{TResult}"/> only once, as any other.</para>
/// </remarks>
/// <example>
/// <code>
/// var posts = new Singleflight&lt;(string PostId, int Limit)&gt;();
/// var comments = await posts.ExecuteAsync((postId, limit), flight => database.LoadCommentsAsync(postId, limit, flight), cancellationToken);
/// </code>
/// </example>
public interface ISingleflight<TKey>
    where TKey : notnull
{
    /// <summary>Joins the current flight of <paramref name="key"/>, or starts one with <paramref name="work"/>.</summary>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="work">
    /// Produces the result. It runs only if this call starts a flight. It gets the flight's own token, which fires when the last subscriber has
    /// left or the flight has expired. It should not use the token of a caller.
    /// </param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> or <paramref name="work"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The work that is running for this key has another result type.</exception>
    /// <exception cref="ObjectDisposedException">The instance has been disposed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired. The exception carries it.</exception>
    /// <exception cref="FlightTimeoutException">The flight exceeded <see cref="SingleflightOptions.MaxDuration"/>.</exception>
    /// <exception cref="FlightRejectedException">A limit was reached, and <see cref="SingleflightOptions.Overflow"/> is <see cref="OverflowBehavior.Reject"/>; or the instance is draining.</exception>
    /// <exception cref="FlightDeadlockException">The work of a flight makes this call, and would wait for its own flight.</exception>
    /// <remarks>If the work throws, every subscriber of the flight gets that same exception.</remarks>
    /// <example>
    /// <code>
    /// var post = await singleflight.ExecuteAsync(
    ///     id,
    ///     async flight => await database.LoadPostAsync(id, flight),    // the flight's token goes to the backend
    ///     cancellationToken);                                          // the caller's own token lets this caller leave
    /// </code>
    /// </example>
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
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="state">A value that is passed to <paramref name="work"/>, which therefore needs no closure.</param>
    /// <param name="work">Produces the result, and can inspect its flight. It runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <example>
    /// <code>
    /// var post = await singleflight.ExecuteAsync(
    ///     id,
    ///     (database, id),
    ///     static (state, flight) => state.database.LoadPostAsync(state.id, flight.CancellationToken),    // static: captures nothing
    ///     cancellationToken);
    /// </code>
    /// </example>
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
    /// Forgets the current flight of a key. Callers after this start a new flight. Callers that wait already get the outcome of the old one. Call
    /// it when the data that the key names has changed. If a cache keeps the results, remove the entry after this call: in the opposite order, a flight
    /// that has read the old data could store it between the two steps, while its <see cref="FlightContext.IsCurrent"/> is still true.
    /// </summary>
    /// <param name="key">The key whose current flight is forgotten.</param>
    /// <returns><see langword="true"/> if the key had a current flight.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    /// <example>
    /// <code>
    /// await database.SaveAsync(post, cancellationToken);    // first the write,
    /// singleflight.Forget(post.Id);                         // then the flights that may have read the old data,
    /// cache.Remove(post.Id);                                // and then the cache, if there is one
    /// </code>
    /// </example>
    bool Forget(TKey key);

    /// <summary>Forgets every current flight, as <see cref="Forget"/> does. Callers that wait already still get their outcomes.</summary>
    void Clear();

    /// <summary>Gets the counts of the running flights, and the totals since the start.</summary>
    /// <returns>A snapshot. While calls go on, its parts may come from slightly different moments.</returns>
    SingleflightStats GetStats();
}
