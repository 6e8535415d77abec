using Polly;
using Polly.Telemetry;

namespace RequestCoalescing.Polly;

/// <summary>Lets executions with the same key share one run of the rest of the pipeline.</summary>
internal sealed class SingleflightStrategy(SingleflightStrategyOptions options, ResilienceStrategyTelemetry telemetry) : ResilienceStrategy
{
    private static readonly ResiliencePropertyKey<bool> s_hasPassed = new("RequestCoalescing.HasPassed");

    private readonly ISingleflight<string> _singleflight = options.Singleflight!;
    private bool _hasReportedNoKey;
    private bool _hasReportedRepeat;

    protected override async ValueTask<Outcome<TResult>> ExecuteCore<TResult, TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback,
        ResilienceContext context,
        TState state)
    {
        if (options.KeyGenerator(context) is not { Length: > 0 } key)
        {
            ReportOnce(ref _hasReportedNoKey, "SingleflightWithoutKey", context);
            return await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
        }

        // A retry or a hedging around this strategy repeats what all executions share.
        if (context.Properties.TryGetValue(s_hasPassed, out _)) ReportOnce(ref _hasReportedRepeat, "SingleflightRepeated", context);
        else context.Properties.Set(s_hasPassed, true);

        var run = new Run<TResult, TState>(options, callback, context, state);
        try
        {
            var result = await _singleflight.ExecuteAsync(key, run, static (run, flight) => run.StartAsync(flight), context.CancellationToken).ConfigureAwait(context.ContinueOnCapturedContext);
            if (!run.HasStarted) telemetry.Report(new ResilienceEvent(ResilienceEventSeverity.Information, "SingleflightJoined"), context, new SingleflightArguments(key));
            return Outcome.FromResult(result);
        }
        catch (Exception error)
        {
            return Outcome.FromException<TResult>(error);
        }
    }

    private void ReportOnce(ref bool hasReported, string name, ResilienceContext context)
    {
        if (Interlocked.Exchange(ref hasReported, true)) return;
        telemetry.Report(new ResilienceEvent(ResilienceEventSeverity.Warning, name), context, new SingleflightArguments(null));
    }

    private sealed class Run<TResult, TState>(
        SingleflightStrategyOptions options,
        Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback,
        ResilienceContext leader,
        TState state)
    {
        public bool HasStarted { get; private set; }

        public async ValueTask<TResult> StartAsync(FlightContext flight)
        {
            HasStarted = true;

            // The leader may leave, and its context go back to its pool, while this run goes on.
            var context = ResilienceContextPool.Shared.Get(leader.OperationKey, continueOnCapturedContext: false, flight.CancellationToken);
            options.CopyProperties?.Invoke(leader, context);
            try
            {
                var outcome = await callback(context, state).ConfigureAwait(false);
                outcome.ThrowIfException();
                return outcome.Result!;
            }
            finally
            {
                ResilienceContextPool.Shared.Return(context);
            }
        }
    }
}
