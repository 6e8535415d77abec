using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Verification;

/// <summary>Lets a share of the followers run their own work as well, and compares the results.</summary>
internal sealed class VerifyingSingleflight<TKey>(
    ISingleflight<TKey> inner,
    Singleflight<TKey> engine,
    string name,
    KeyRedactor redactor,
    ILogger logger,
    Reloading<VerificationOptions> options,
    Reloading<SingleflightOptions> limits) : SingleflightBase<TKey>
    where TKey : notnull
{
    private const int Attempts = 2;

    private readonly ConcurrentDictionary<Type, bool> _logged = new();
    private bool _isOn; // every call reads it
    private long _mismatches;
    private long _unverifiable;

    /// <summary>Whether any follower is verified now.</summary>
    public bool IsOn => Volatile.Read(ref _isOn);

    /// <summary>Takes over changed options.</summary>
    public void Change(VerificationOptions changed) => Volatile.Write(ref _isOn, changed.Fraction > 0);

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats() with { Mismatches = Volatile.Read(ref _mismatches), Unverifiable = Volatile.Read(ref _unverifiable) };

    protected override bool ForgetCore(TKey key) => inner.Forget(key);

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var fraction = options.Current.Fraction;

        // Calls from within work are not verified. The verification waits for such a call, and would count as a wait of the work even if the work
        // itself does not await the call.
        return fraction > 0 && !LocalResult<TResult>.Is && Random.Shared.NextDouble() < fraction && FlightScope.Current is null
            ? new(Outcome.ObserveAtEnd(VerifyAsync(key, state, work, cancellationToken))) // the caller may drop the returned task
            : inner.ExecuteAsync(key, state, work, cancellationToken);
    }

    private async Task<TResult> VerifyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var (clock, start) = (limits.Current.TimeProvider, limits.Current.TimeProvider.GetTimestamp());
        var call = new Call<TState, TResult>(state, work);
        var result = await inner.ExecuteAsync(key, call, static (call, flight) => call.LeadAsync(flight), cancellationToken).ConfigureAwait(false);
        if (call.HasLed) return result;

        // The call has followed, and got a value: a failed flight has thrown above, and needs no verification. The follower's own work runs before
        // this call returns, so that everything it captured, such as services of a request, is still valid. Flight and verification together take no
        // longer than MaxDuration.
        var left = limits.Current.MaxDuration - clock.GetElapsedTime(start);
        using var deadline = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var own = await RunOwnAsync(key, state, work, either.Token).ConfigureAwait(false);
        if (!Differs(result, own)) return result;

        Report<TResult>(key, own);
        return options.Current.OnMismatch == MismatchBehavior.UseOwn ? await own.ConfigureAwait(false) : result;
    }

    // The work runs a second time if it fails. A backend that fails occasionally is no sign of a wrong key, and a backend that refuses this caller
    // refuses it again.
    private async Task<Task<TResult>> RunOwnAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var own = Start();
            await ((Task)own).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (attempt == Attempts || !own.IsFaulted) return own;
        }

        Task<TResult> Start()
        {
            try
            {
                return engine.ExecuteAloneAsync(key, state, work, verifies: true, cancellationToken).AsTask();
            }
            catch (Exception exception)
            {
                return Task.FromException<TResult>(exception);
            }
        }
    }

    private bool Differs<TResult>(TResult shared, Task<TResult> own)
    {
        // A run that was cancelled, timed out or was rejected says nothing about the result.
        if (own.IsCanceled ||
            own.Exception?.InnerException is OperationCanceledException or TimeoutException or FlightRejectedException or ObjectDisposedException)
        {
            return IsUnverifiable();
        }

        if (own.IsFaulted) return true;
        try
        {
            if (options.Current.Comparer is { } comparer) return !comparer.Equals(shared, own.Result);
            if (ResultComparison.Differ(shared, own.Result, out var opaque)) return true;
            if (opaque is null) return false;
            if (_logged.TryAdd(typeof(TResult), true)) Log.NotVerifiable(logger, name, typeof(TResult), opaque);
        }
        catch (Exception exception)
        {
            Log.MismatchHandlerFailed(logger, exception, name);
        }

        return IsUnverifiable();

        bool IsUnverifiable()
        {
            Interlocked.Increment(ref _unverifiable);
            return false;
        }
    }

    private void Report<TResult>(TKey key, Task<TResult> own)
    {
        Interlocked.Increment(ref _mismatches);
        var mismatch = new VerificationMismatch
        {
            Instance = name,
            Key = redactor.Redact(key),
            ResultType = typeof(TResult),
            OwnError = own.Exception?.InnerException?.GetType(),
        };
        Log.VerificationMismatch(logger, name, mismatch.Key, typeof(TResult).Name);
        try
        {
            options.Current.Mismatched?.Invoke(mismatch);
        }
        catch (Exception exception)
        {
            Log.MismatchHandlerFailed(logger, exception, name);
        }
    }

    /// <summary>A call that leads or follows. It has led if its work was started.</summary>
    private sealed class Call<TState, TResult>(TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        private volatile bool _hasLed;

        public bool HasLed => _hasLed;

        public ValueTask<TResult> LeadAsync(FlightContext flight)
        {
            _hasLed = true;
            return work(state, flight);
        }
    }
}
