using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Mutation;

/// <summary>Looks at each result twice: at the end of its flight, and some time later.</summary>
internal sealed class MutationDetectingSingleflight<TKey>(ISingleflight<TKey> inner, TimeSpan checkAfter, TimeProvider clock, string name, ILogger logger) : SingleflightBase<TKey>
    where TKey : notnull
{
    private readonly ConcurrentDictionary<Type, bool> _logged = new();

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats();

    protected override bool ForgetCore(TKey key) => inner.Forget(key);

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        inner.ExecuteAsync(
            key,
            (Owner: this, State: state, Work: work),
            static async (call, flight) =>
            {
                var result = await call.Work(call.State, flight).ConfigureAwait(false);
                if (result is not null) call.Owner.Watch(result);
                return result;
            },
            cancellationToken);

    private void Watch(object result)
    {
        if (!_logged.ContainsKey(result.GetType()) && ContentHash.Of(result) is { } before) _ = CheckAsync(result, before);
    }

    private async Task CheckAsync(object result, int before)
    {
        await Task.Delay(checkAfter, clock).ConfigureAwait(false);
        if (ContentHash.Of(result) is { } now && now != before && _logged.TryAdd(result.GetType(), true)) Log.ResultMutated(logger, name, result.GetType(), typeof(TKey));
    }
}
