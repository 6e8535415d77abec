using Microsoft.Extensions.Logging;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Rollout;

/// <summary>Lets through the calls that are to be coalesced, and has the others run alone.</summary>
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

    /// <summary>Whether every call is to be coalesced now, so that nothing needs to be asked for it here.</summary>
    public bool LetsAllThrough => outerSwitch is null && options.Current is { Enabled: true, Mode: RolloutMode.Coalesce, Fraction: 1 };

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
            ? Execute(key, state, work, asked.Result ? current : s_off, cancellationToken)
            : ExecuteAfterAsync(asked, key, state, work, cancellationToken);
    }

    private async ValueTask<TResult> ExecuteAfterAsync<TState, TResult>(
        ValueTask<bool> asked,
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var isOn = await asked.ConfigureAwait(false);
        var call = Execute(key, state, work, isOn ? options.Current : s_off, cancellationToken);
        return await Lineage.AsUnwatchedTask(call).ConfigureAwait(false);
    }

    private ValueTask<TResult> Execute<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        RolloutOptions current,
        CancellationToken cancellationToken)
    {
        if (!current.Enabled) return RunAlone(key, state, work, cancellationToken);
        if (current.Mode == RolloutMode.Observe) return ObserveAsync(key, state, work, cancellationToken);
        return sampler.Includes(key, current.Fraction)
            ? inner.ExecuteAsync(key, state, work, cancellationToken)
            : RunAlone(key, state, work, cancellationToken);
    }

    private async ValueTask<TResult> ObserveAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var end = observation.Begin(key);
        try
        {
            // To observe is to wait; a call that work makes and leaves to itself must not be taken for one that it waits for.
            return await Lineage.AsUnwatchedTask(RunAlone(key, state, work, cancellationToken)).ConfigureAwait(false);
        }
        finally
        {
            end.SetResult(true);
        }
    }

    // By way of the engine: it goes on having its limits of time, its counts and its telemetry.
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

    // A switch may hang, and be deaf to the token: the caller leaves all the same.
    private async ValueTask<bool> AskSwitchAsync(IRolloutSwitch asked, CancellationToken cancellationToken)
    {
        try
        {
            var answer = asked.IsEnabledAsync(cancellationToken);
            return answer.IsCompleted ? answer.Result : await answer.AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Log.SwitchFailed(logger, exception, name);
            return true;
        }
    }
}
