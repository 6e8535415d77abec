using System.Runtime.CompilerServices;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// The base class for an <see cref="ISingleflight{TKey}"/> that you write, for example a decorator or an adapter. The public methods validate
/// their arguments, and turn every form of call into one. You override the protected methods.
/// </summary>
/// <typeparam name="TKey">The type of the keys.</typeparam>
public abstract class SingleflightBase<TKey> : ISingleflight<TKey>
    where TKey : notnull
{
    // Calls go to it directly if they can, because the dispatch of a generic virtual method is expensive.
    private protected readonly Singleflight<TKey>? _engine;
    private protected readonly HostedParts<TKey>? _parts; // if this is an instance of dependency injection

    /// <summary>Creates the base.</summary>
    protected SingleflightBase() => _engine = this as Singleflight<TKey>;

    private protected SingleflightBase(HostedParts<TKey> parts) => (_engine, _parts) = (parts.Engine, parts);

    /// <inheritdoc/>
    [OverloadResolutionPriority(1)]
    public ValueTask<TResult> ExecuteAsync<TResult>(
        TKey key,
        Func<CancellationToken, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default)
    {
        Validate(key, work);
        return Dispatch(key, work, static (work, flight) => work(flight.CancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<TResult> ExecuteAsync<TResult>(
        TKey key,
        Func<CancellationToken, Task<TResult>> work,
        CancellationToken cancellationToken = default)
    {
        Validate(key, work);
        return Dispatch(key, work, static (work, flight) => new ValueTask<TResult>(Started(work(flight.CancellationToken))), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<TResult> ExecuteAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, Task<TResult>> work,
        CancellationToken cancellationToken = default)
    {
        Validate(key, work);
        return Dispatch(
            key, (State: state, Work: work), static (call, flight) => new ValueTask<TResult>(Started(call.Work(call.State, flight))), cancellationToken);
    }

    /// <inheritdoc/>
    [OverloadResolutionPriority(1)]
    public ValueTask<TResult> ExecuteAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken = default)
    {
        Validate(key, work);
        return Dispatch(key, state, work, cancellationToken);
    }

    /// <inheritdoc/>
    public bool Forget(TKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return ForgetCore(key);
    }

    /// <inheritdoc/>
    public abstract void Clear();

    /// <inheritdoc/>
    public abstract SingleflightStats GetStats();

    /// <summary>Joins the current flight of <paramref name="key"/>, or starts one with <paramref name="work"/>.</summary>
    /// <typeparam name="TState">The type of <paramref name="state"/>.</typeparam>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <param name="key">Names the result. Never null.</param>
    /// <param name="state">A value that is passed to <paramref name="work"/>.</param>
    /// <param name="work">Produces the result. Never null.</param>
    /// <param name="cancellationToken">The caller's token.</param>
    /// <returns>The outcome of the flight.</returns>
    protected abstract ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken);

    /// <summary>Forgets the current flight of <paramref name="key"/>.</summary>
    /// <param name="key">The key. Never null.</param>
    /// <returns><see langword="true"/> if the key had a current flight.</returns>
    protected abstract bool ForgetCore(TKey key);

    // The longer ways return their call by an out parameter. The compiler can then keep the call of the usual way in registers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // each call between generic methods costs a look-up
    private ValueTask<TResult> Dispatch<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        if (_engine is not null && (_parts is null || _parts.AreTransparent)) return _engine.JoinOrLead(key, state, work, cancellationToken);
        DispatchToParts(key, state, work, cancellationToken, out var call);
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DispatchToParts<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken,
        out ValueTask<TResult> call) =>
        call =
            _engine is null || !_parts!.AreIdle ? ExecuteCoreAsync(key, state, work, cancellationToken)
            : !cancellationToken.CanBeCanceled && TryJoinCrowd<TResult>(key) is { } shared ? new(shared)
            : _engine.JoinOrLead(key, state, work, BeginWait<TResult>(), cancellationToken);

    /// <summary>Begins the wait of a caller of this instance of dependency injection. A stream is not measured, because it lasts as long as it is read.</summary>
    private protected CallerWait BeginWait<TResult>() => LocalResult<TResult>.Is ? default : CallerWait.Begin(_parts!.Waits);

    // The usual join of a caller without a token whose wait is measured.
    [MethodImpl(MethodImplOptions.NoInlining)] // the callers that are not measured have a shorter way without it
    private Task<TResult>? TryJoinCrowd<TResult>(TKey key) =>
        _parts!.Waits.HaveListener && !LocalResult<TResult>.Is ? _engine!.TryShare<TResult>(key, _parts.Waits) : null;

    private static Task<TResult> Started<TResult>(Task<TResult>? task) =>
        task ?? throw new InvalidOperationException("The work returned null. It must return a task.");

    private static void Validate(TKey key, Delegate work)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(work);
    }
}
