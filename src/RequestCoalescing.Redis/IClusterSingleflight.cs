namespace RequestCoalescing;

/// <summary>
/// Adds to <see cref="ISingleflight{TKey}"/> the operations of an instance that coalesces through Redis. Dependency injection provides it, under the
/// same name, for each instance that <c>UseRedis</c> was called for. Safe to call from any number of threads at once.
/// </summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
public interface IClusterSingleflight<TKey>
    where TKey : notnull
{
    /// <summary>
    /// Forgets the key in the whole cluster, and completes when Redis has forgotten it. <see cref="ISingleflight{TKey}.Forget"/> does the same without
    /// waiting. When it returns, new callers of this node start a new flight. New callers of another node do so when Redis has notified that node.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <exception cref="Exception">
    /// Redis cannot be reached, or does not answer within <see cref="RedisSingleflightOptions.CommandTimeout"/> (a <see cref="TimeoutException"/>). On
    /// this node the key is forgotten. The command is kept, and sent when Redis can be reached.
    /// </exception>
    /// <example>
    /// <code>
    /// await database.SaveAsync(post, cancellationToken);
    /// await cluster.ForgetAsync(post.Id);    // from now on, callers on every node start anew
    /// </code>
    /// </example>
    Task ForgetAsync(TKey key);
}
