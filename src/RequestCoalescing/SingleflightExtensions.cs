using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;

namespace RequestCoalescing;

/// <summary>
/// The forms of <c>ExecuteAsync</c> that an <see cref="ISingleflight{TKey}"/> does not have itself: for work that is synchronous, that has no
/// result, or that looks at its flight. A lambda binds to one of these only if it fits none of the interface's own.
/// </summary>
public static class SingleflightExtensions
{
    /// <summary>As <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work that looks at its flight.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="work">Makes the result, and can look at its flight. The view of the flight converts to the flight's token. The work runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
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

    /// <summary>As <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work that computes its result and returns it.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <typeparam name="TResult">The type of the result; the same for every caller of a key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the result. Callers with equal keys get the same result.</param>
    /// <param name="work">
    /// Makes the result. It runs only if this call starts a flight, and then on the thread of this call, unless the instance has
    /// <see cref="SingleflightOptions.StartOnThreadPool"/> set: set it if the work takes long.
    /// </param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>The outcome of the flight.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException">The result is a task or another that is to be awaited, <c>ConfigureAwait(false)</c> say.</exception>
    public static ValueTask<TResult> ExecuteAsync<TKey, TResult>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, TResult> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        if (IsAwaitable(typeof(TResult)))
        {
            throw new InvalidOperationException($"The work returns a {typeof(TResult)}, which nobody would wait for: the flight would land at once. Make the work asynchronous and await it there.");
        }

        return singleflight.ExecuteAsync(key, work, static (work, flight) => new ValueTask<TResult>(work(flight)), cancellationToken);
    }

    /// <summary>As <see cref="ISingleflight{TKey}.ExecuteAsync{TResult}(TKey, Func{CancellationToken, ValueTask{TResult}}, CancellationToken)"/>, for work without a result: to warm a cache, for example.</summary>
    /// <typeparam name="TKey">The type of the key.</typeparam>
    /// <param name="singleflight">The instance.</param>
    /// <param name="key">Names the work. Callers with equal keys share one run.</param>
    /// <param name="work">Runs only if this call starts a flight.</param>
    /// <param name="cancellationToken">Lets this caller leave. The flight goes on for the others. When the last caller leaves, the work is cancelled.</param>
    /// <returns>Completes with the flight.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <remarks>Not for writes: the second of two coalesced writes does not happen.</remarks>
    [OverloadResolutionPriority(4)]
    public static ValueTask ExecuteAsync<TKey>(
        this ISingleflight<TKey> singleflight,
        TKey key,
        Func<CancellationToken, ValueTask> work,
        CancellationToken cancellationToken = default)
        where TKey : notnull
    {
        Validate(singleflight, work);
        return WithoutResult(singleflight.ExecuteAsync(key, work, RunAsync, cancellationToken));

        static async ValueTask<NoResult> RunAsync(Func<CancellationToken, ValueTask> work, FlightContext flight)
        {
            await work(flight).ConfigureAwait(false);
            return default;
        }
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
        return WithoutResult(singleflight.ExecuteAsync(key, work, RunAsync, cancellationToken));

        static async ValueTask<NoResult> RunAsync(Func<CancellationToken, Task> work, FlightContext flight)
        {
            await Started(work(flight)).ConfigureAwait(false);
            return default;
        }
    }

    private static void Validate(object singleflight, Delegate work)
    {
        ArgumentNullException.ThrowIfNull(singleflight);
        ArgumentNullException.ThrowIfNull(work);
    }

    // What is not one of the other forms' tasks, or hides behind a type parameter, binds to the form for synchronous work.
    private static bool IsAwaitable(Type type)
    {
        if (typeof(Task).IsAssignableFrom(type) || type == typeof(ValueTask)) return true;
        if (type == typeof(ConfiguredTaskAwaitable) || type == typeof(ConfiguredValueTaskAwaitable)) return true;
        return type.IsGenericType && type.GetGenericTypeDefinition() is var generic &&
            (generic == typeof(ValueTask<>) || generic == typeof(ConfiguredTaskAwaitable<>) || generic == typeof(ConfiguredValueTaskAwaitable<>));
    }

    private static TTask Started<TTask>(TTask? task)
        where TTask : Task =>
        task ?? throw new InvalidOperationException("The work returned null; it must return a task.");

    private static ValueTask WithoutResult(ValueTask<NoResult> call) => new CallWithoutResult(call).Call;

    /// <summary>What work without a result makes.</summary>
    private readonly struct NoResult;

    private sealed class CallWithoutResult : Relay<NoResult>, System.Threading.Tasks.Sources.IValueTaskSource
    {
        public CallWithoutResult(ValueTask<NoResult> inner) => Start(inner);

        public new ValueTask Call => new(this, Version);

        void System.Threading.Tasks.Sources.IValueTaskSource.GetResult(short token) => GetResult(token);
    }
}
