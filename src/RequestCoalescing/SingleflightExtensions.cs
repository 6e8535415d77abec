using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>
/// More forms of <c>ExecuteAsync</c>: for work that is synchronous, that has no result, or that inspects its flight. A lambda binds to one of
/// these only if it fits no form of <see cref="ISingleflight{TKey}"/> itself.
/// </summary>
public static class SingleflightExtensions
{
    /// <summary>Does the same as <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work that inspects its flight.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="work">Produces the result, and can inspect its flight. The view of the flight converts to the flight's token. The work runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <example>
    /// <code>
    /// var post = await singleflight.ExecuteAsync(
    ///     id,
    ///     async (FlightContext flight) =>
    ///     {
    ///         var loaded = await database.LoadPostAsync(id, flight);
    ///         if (flight.IsCurrent) cache.Set(id, loaded, TimeSpan.FromMinutes(1));
    ///         return loaded;
    ///     },
    ///     cancellationToken);
    /// </code>
    /// </example>
    [OverloadResolutionPriority(2)]
    public static ValueTask<TResult> ExecuteAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        return singleflight.ExecuteAsync(key, work, static (work, flight) => work(flight), cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{TKey, TResult}(ISingleflight{TKey}, TKey, Func{FlightContext, ValueTask{TResult}}, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static ValueTask<TResult> ExecuteAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<FlightContext, Task<TResult>> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        return singleflight.ExecuteAsync(key, work, static (work, flight) => new ValueTask<TResult>(Started(work(flight))), cancellationToken);
    }

    /// <summary>Does the same as <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work that computes its result and returns it.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="work">
    /// Produces the result. It runs only if this call starts a flight. It runs on the thread of this call, unless
    /// <see cref="SingleflightOptions.StartOnThreadPool"/> is set. Set that option if the work takes long.
    /// </param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException">The work returns a task, or the result of <c>ConfigureAwait</c>. Await it within the work instead.</exception>
    /// <example>
    /// <code>
    /// var primes = await singleflight.ExecuteAsync("primes", flight => CountPrimes(1_000_000), cancellationToken);
    /// </code>
    /// </example>
    public static ValueTask<TResult> ExecuteAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, TResult> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        if (Awaitable<TResult>.Is)
        {
            throw new InvalidOperationException($"The work returns a {typeof(TResult)}, which would never be awaited. Make the work asynchronous, and await it there.");
        }

        return singleflight.ExecuteAsync(key, work, static (work, flight) => new ValueTask<TResult>(work(flight)), cancellationToken);
    }

    /// <summary>Does the same as <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work without a result: to warm a cache, for example.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the work. Callers with equal keys share one run.</param>
    /// <param name="work">The work. It runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>A task that completes when the flight does.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <remarks>Never use it for writes: the second of two coalesced writes does not happen.</remarks>
    /// <example>
    /// <code>
    /// await singleflight.ExecuteAsync("warm-up", async flight => { await database.WarmUpAsync(flight); }, cancellationToken);
    /// </code>
    /// </example>
    [OverloadResolutionPriority(4)]
    public static ValueTask ExecuteAsync<TKey>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, ValueTask> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        return WithoutResult(singleflight.ExecuteAsync(key, work, static (work, flight) => EndOfAsync(work(flight)), cancellationToken));
    }

    /// <inheritdoc cref="ExecuteAsync{TKey}(ISingleflight{TKey}, TKey, Func{CancellationToken, ValueTask}, CancellationToken)"/>
    [OverloadResolutionPriority(3)]
    public static ValueTask ExecuteAsync<TKey>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, Task> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        return WithoutResult(singleflight.ExecuteAsync(key, work, static (work, flight) => EndOfAsync(new ValueTask(Started(work(flight)))), cancellationToken));
    }

    private static void Validate(object singleflight, Delegate work)
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(work);
    }

    private static TTask Started<TTask>(TTask? task)
        where TTask : Task =>
        task ?? throw new InvalidOperationException("The work returned null. It must return a task.");

    private static async ValueTask<NoResult> EndOfAsync(ValueTask work)
    {
        await work.ConfigureAwait(false);
        return default;
    }

    private static ValueTask WithoutResult(ValueTask<NoResult> call) => new CallWithoutResult(call).Call;

    /// <summary>
    /// Whether a result type is awaitable. A lambda that returns one, such as <c>LoadAsync().ConfigureAwait(false)</c>, binds to the form for
    /// synchronous work if it fits no other form.
    /// </summary>
    private static class Awaitable<TResult>
    {
        public static readonly bool Is = Check(typeof(TResult));

        private static bool Check(Type type)
        {
            if (typeof(Task).IsAssignableFrom(type)) return true;
            var definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
            return definition == typeof(ValueTask) || definition == typeof(ValueTask<>) ||
                definition == typeof(ConfiguredTaskAwaitable) || definition == typeof(ConfiguredTaskAwaitable<>) ||
                definition == typeof(ConfiguredValueTaskAwaitable) || definition == typeof(ConfiguredValueTaskAwaitable<>);
        }
    }

    /// <summary>The placeholder result of work without a result.</summary>
    private readonly struct NoResult;

    private sealed class CallWithoutResult : Relay<NoResult>, IValueTaskSource
    {
        public CallWithoutResult(ValueTask<NoResult> inner) => Start(inner);

        public new ValueTask Call => new(this, Version);

        void IValueTaskSource.GetResult(short token) => GetResult(token);
    }
}
