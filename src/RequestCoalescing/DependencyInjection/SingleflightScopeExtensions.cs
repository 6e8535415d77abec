using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using RequestCoalescing.DependencyInjection;

namespace RequestCoalescing;

/// <summary>Work with services of its own.</summary>
public static class SingleflightScopeExtensions
{
    /// <summary>
    /// As <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>,
    /// with a service scope that belongs to the flight and ends with the work. Scoped services of the leader, such as the <c>DbContext</c> of its
    /// request, end with the leader, which may leave long before its flight lands. The services of this scope do not.
    /// </summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="singleflight">An instance that was registered with <c>AddSingleflight</c>, or another <see cref="IScopedSingleflight"/>.</param>
    /// <param name="key">Names the result wanted.</param>
    /// <param name="work">Produces the result, with the flight's own services and token.</param>
    /// <param name="cancellationToken">Lets this caller leave.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentException"><paramref name="singleflight"/> has no service scopes.</exception>
    /// <example>
    /// <code>
    /// var post = await singleflight.ExecuteInScopeAsync(
    ///     id,
    ///     async (services, flight) => await services.GetRequiredService&lt;BlogContext>().Posts.AsNoTracking().FirstAsync(post => post.Id == id, flight),
    ///     cancellationToken);
    /// </code>
    /// </example>
    [OverloadResolutionPriority(1)]
    public static ValueTask<TResult> ExecuteInScopeAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<IServiceProvider, CancellationToken, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(work);
        return singleflight.ExecuteAsync(key, (Scopes: ScopesOf(singleflight), Work: work), RunAsync, cancellationToken);

        static async ValueTask<TResult> RunAsync(
            (IServiceScopeFactory Scopes, Func<IServiceProvider, CancellationToken, ValueTask<TResult>> Work) state,
            FlightContext flight)
        {
            var scope = state.Scopes.CreateAsyncScope();
            await using (scope.ConfigureAwait(false))
            {
                return await state.Work(scope.ServiceProvider, flight.CancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc cref="ExecuteInScopeAsync{TKey, TResult}(ISingleflight{TKey}, TKey, Func{IServiceProvider, CancellationToken, ValueTask{TResult}}, CancellationToken)"/>
    public static ValueTask<TResult> ExecuteInScopeAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<IServiceProvider, CancellationToken, Task<TResult>> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(work);
        return singleflight.ExecuteInScopeAsync(key, (services, flight) => new ValueTask<TResult>(
            work(services, flight) ?? throw new InvalidOperationException("The work returned null; it must return a task.")), cancellationToken);
    }

    private static IServiceScopeFactory ScopesOf<TKey>(ISingleflight<TKey> singleflight)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        return (singleflight as IScopedSingleflight)?.Scopes ?? throw new ArgumentException(
            "The instance has no service scopes. Use one that was registered with AddSingleflight, or one that implements IScopedSingleflight.", nameof(singleflight));
    }
}
