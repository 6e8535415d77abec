using Microsoft.Extensions.Logging;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Rollout;

/// <summary>Passes on the calls that the rollout coalesces, and runs the others alone.</summary>
internal sealed class RolloutSingleflight<TKey>(
    ISingleflight<TKey> inner,
    Singleflight<TKey> engine,
    KeySampler<TKey> sampler,
    IRolloutSwitch? outerSwitch,
    string name,
    ILogger logger,
    Reloading<RolloutOptions> options,
    Observation<TKey> observation) : SingleflightBase<TKey>
    where TKey : notnull
{
    private static readonly RolloutOptions s_off = new() { Enabled = false };

    private readonly ForgetLines _lines = new();
    private bool _letsAllThrough; // every call reads it

    /// <summary>Whether the rollout coalesces every call now. Then calls can skip this decorator.</summary>
    public bool LetsAllThrough => Volatile.Read(ref _letsAllThrough);

    /// <summary>Takes over changed options.</summary>
    public void Change(RolloutOptions changed) =>
        Volatile.Write(ref _letsAllThrough, outerSwitch is null && changed is { Enabled: true, Mode: RolloutMode.Coalesce, Fraction: 1 });

    public override void Clear()
    {
        _lines.DrawAll();
        observation.Clear();
        inner.Clear();
    }

    public override SingleflightStats GetStats()
    {
        var observed = observation.Stats;
        return inner.GetStats() with { Observed = observed.Calls, WouldBeFollowers = observed.Coalesced };
    }

    protected override bool ForgetCore(TKey key)
    {
        _lines.Draw(key.GetHashCode());
        observation.Forget(key);
        return inner.Forget(key);
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        var current = options.Current;
        if (outerSwitch is null || !current.Enabled) return Execute(key, state, work, current, cancellationToken);
        var asked = AskSwitchAsync(outerSwitch, cancellationToken);
        return asked.IsCompletedSuccessfully
            ? Execute(key, state, work, OptionsIf(asked.Result), cancellationToken)
            : new CallAfterSwitch<TState, TResult>(this, asked, key, state, work, cancellationToken).Call;
    }

    private RolloutOptions OptionsIf(bool isSwitchedOn) => isSwitchedOn ? options.Current : s_off;

    private ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        RolloutOptions current,
        CancellationToken cancellationToken)
    {
        if (!current.Enabled) return RunAlone(key, state, work, cancellationToken);
        if (current.Mode == RolloutMode.Observe) return RunAlone(key, (observation, key, state, work), RunObservedAsync, cancellationToken);
        return sampler.Includes(key, current.Fraction)
            ? inner.ExecuteAsync(key, state, work, cancellationToken)
            : RunAlone(key, state, work, cancellationToken);
    }

    // This observes the run of the work and not the call, so that the call stays the engine's own. The observation ends with the flight, even if
    // the work ignores its token.
    private static async ValueTask<TResult> RunObservedAsync<TState, TResult>(
        (Observation<TKey> Observation, TKey Key, TState State, Func<TState, FlightContext, ValueTask<TResult>> Work) call,
        FlightContext flight)
    {
        var end = call.Observation.Begin(call.Key);
        using var registration = flight.CancellationToken.UnsafeRegister(static end => ((TaskCompletionSource<bool>)end!).TrySetResult(true), end);
        try
        {
            return await call.Work(call.State, flight).ConfigureAwait(false);
        }
        finally
        {
            end.TrySetResult(true);
        }
    }

    // The engine runs the call, so that MaxDuration, the counts and the telemetry still apply.
    private ValueTask<TResult> RunAlone<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        engine.ExecuteAloneAsync(
            key,
            (State: state, Work: work, Lines: _lines, Hash: key.GetHashCode()),
            static (call, flight) => call.Work(call.State, new FlightContext(new LoneFlight(flight, call.Lines, call.Hash))),
            verifies: false,
            cancellationToken);

    // A switch may hang and ignore the token. The caller can leave all the same.
    private async ValueTask<bool> AskSwitchAsync(IRolloutSwitch asked, CancellationToken cancellationToken)
    {
        try
        {
            var pending = asked.IsEnabledAsync(cancellationToken);
            if (pending.IsCompleted) return pending.Result;
            var answer = Outcome.ObserveAtEnd(pending.AsTask()); // the switch may fail after the caller has left
            return await answer.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Log.SwitchFailed(logger, exception, name);
            return true;
        }
    }

    /// <summary>A call that waits for the answer of the switch. It then continues in the context of its caller.</summary>
    private sealed class CallAfterSwitch<TState, TResult> : Relay<TResult>
    {
        public CallAfterSwitch(
            RolloutSingleflight<TKey> rollout,
            ValueTask<bool> asked,
            TKey key,
            TState state,
            Func<TState, FlightContext, ValueTask<TResult>> work,
            CancellationToken cancellationToken)
        {
            var answer = asked.ConfigureAwait(false).GetAwaiter();
            answer.OnCompleted(() => Start(Execute()));

            ValueTask<TResult> Execute()
            {
                try
                {
                    return rollout.Execute(key, state, work, rollout.OptionsIf(answer.GetResult()), cancellationToken);
                }
                catch (OperationCanceledException exception) when (exception.CancellationToken == cancellationToken)
                {
                    return ValueTask.FromCanceled<TResult>(cancellationToken);
                }
                catch (Exception exception)
                {
                    return new(Outcome.Failed<TResult>(exception)); // the caller may have dropped the returned task
                }
            }
        }
    }
}
