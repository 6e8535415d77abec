using Microsoft.Extensions.Logging;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Verification;

/// <summary>Has a share of the followers run their own work as well, and compares.</summary>
internal sealed class VerifyingSingleflight<TKey>(
    ISingleflight<TKey> inner,
    Singleflight<TKey> engine,
    string name,
    KeyRedactor redactor,
    ILogger logger,
    Reloading<VerificationOptions> options) : SingleflightBase<TKey>
    where TKey : notnull
{
    private long _mismatches;

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats() with { Mismatches = Volatile.Read(ref _mismatches) };

    protected override bool ForgetCore(TKey key) => inner.Forget(key);

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var fraction = options.Current.Fraction;

        // To verify is to wait; a call that work makes and leaves to itself must not be taken for one that it waits for.
        return fraction > 0 && Random.Shared.NextDouble() < fraction && Lineage.Current is null
            ? VerifyAsync(key, state, work, cancellationToken)
            : inner.ExecuteAsync(key, state, work, cancellationToken);
    }

    private async ValueTask<TResult> VerifyAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var call = new VerifiedCall<TState, TResult>(state, work);
        var shared = inner.ExecuteAsync(key, call, static (call, flight) => call.LeadAsync(flight), cancellationToken).AsTask();

        // Beside the flight rather than after it, so that both see the same data; and before this call returns, so that the
        // work finds what it captured (services of a request, say) as its caller left it.
        if (shared.IsCompleted || call.TryRunOwn(engine, key, cancellationToken) is not { } own)
        {
            return await shared.ConfigureAwait(false);
        }

        var result = await shared.ConfigureAwait(false); // a failure that is shared gives away nobody's data
        await ((Task)own).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!Differs(result, own)) return result;

        Report<TResult>(key, own);
        return options.Current.OnMismatch == MismatchBehavior.UseOwn ? await own.ConfigureAwait(false) : result;
    }

    private bool Differs<TResult>(TResult shared, Task<TResult> own)
    {
        // What was cancelled, timed out or refused says nothing about the result.
        if (own.IsCanceled || own.Exception?.InnerException is OperationCanceledException or TimeoutException or FlightRejectedException) return false;
        if (own.IsFaulted) return true;
        try
        {
            return !(options.Current.Comparer ?? ResultEquality.Instance).Equals(shared, own.Result);
        }
        catch (Exception exception)
        {
            Log.MismatchHandlerFailed(logger, exception, name);
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
        try
        {
            Log.VerificationMismatch(logger, name, mismatch.Key, typeof(TResult).Name);
            options.Current.Mismatched?.Invoke(mismatch);
        }
        catch (Exception exception)
        {
            Log.MismatchHandlerFailed(logger, exception, name);
        }
    }
}
