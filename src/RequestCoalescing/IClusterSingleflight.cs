namespace RequestCoalescing;

/// <summary>
/// Adds to <see cref="ISingleflight{TKey}"/> the operations of an instance that coalesces across processes. Dependency injection provides it, under the
/// same name, for each instance that <c>UseRedis</c> was called for. Safe to call from any number of threads at once.
/// </summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
public interface IClusterSingleflight<TKey>
    where TKey : notnull
{
    /// <summary>
    /// Forgets the key in the whole cluster, and completes when the cluster's server has forgotten it. <see cref="ISingleflight{TKey}.Forget"/> does the same without
    /// waiting. When it returns, new callers of this node start a new flight. New callers of another node do so when the server has notified that node.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <exception cref="Exception">
    /// The server cannot be reached, or does not answer in time (a <see cref="TimeoutException"/>). On this node the key is forgotten. The command is kept,
    /// and sent when the server can be reached.
    /// </exception>
    /// <example>
    /// <code>
    /// await database.SaveAsync(post, cancellationToken);
    /// await cluster.ForgetAsync(post.Id);    // from now on, callers on every node start anew
    /// </code>
    /// </example>
    Task ForgetAsync(TKey key);

    /// <summary>
    /// Lets <see cref="ForgetTagAsync"/> find a flight, on whatever node it runs. The work of the flight calls this before it reads the data that the tags stand for.
    /// </summary>
    /// <remarks>The note of a flight ends after an hour, even if its work lasts longer.</remarks>
    /// <param name="key">The key of the flight.</param>
    /// <param name="tags">The tags, compared ordinally.</param>
    /// <returns>The note. Dispose of it at the end of the work. If it is not disposed of, each <see cref="ForgetTagAsync"/> forgets the key for an hour, which costs a command each time.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/>, <paramref name="tags"/> or a tag is null.</exception>
    /// <exception cref="Exception">The server cannot be reached, or does not answer in time. The flight may not be found.</exception>
    ValueTask<IAsyncDisposable> TagAsync(TKey key, IReadOnlyCollection<string> tags);

    /// <summary>
    /// Forgets, in the whole cluster, the flights that <see cref="TagAsync"/> has given a tag, as <see cref="ForgetAsync"/> does. A flight that is tagged later is not
    /// forgotten.
    /// </summary>
    /// <param name="tag">The tag.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tag"/> is null.</exception>
    /// <exception cref="Exception">The server cannot be reached, or does not answer in time. The flights of this node are forgotten.</exception>
    Task ForgetTagAsync(string tag);
}
