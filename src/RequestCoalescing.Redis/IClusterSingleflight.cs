namespace RequestCoalescing;

/// <summary>
/// What an instance that coalesces through Redis can do beyond <see cref="ISingleflight{TKey}"/>. Dependency injection hands it out beside that, under
/// the same name, for each instance that <c>UseRedis</c> was called for. Safe to call from any number of threads at once.
/// </summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
public interface IClusterSingleflight<TKey>
    where TKey : notnull
{
    /// <summary>
    /// Draws the line for the whole cluster, and completes when it is drawn. <see cref="ISingleflight{TKey}.Forget"/> does the same without waiting:
    /// on this node the line is drawn when it returns, on others as soon as Redis has told them.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <exception cref="Exception">
    /// Redis cannot be reached, or does not answer within <see cref="RedisSingleflightOptions.CommandTimeout"/> (a <see cref="TimeoutException"/>). On
    /// this node the key is forgotten; the others are told as soon as they can be.
    /// </exception>
    /// <example>
    /// <code>
    /// await database.SaveAsync(post, cancellationToken);
    /// await cluster.ForgetAsync(post.Id);    // from now on, callers on every node start anew
    /// </code>
    /// </example>
    Task ForgetAsync(TKey key);
}
