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
        inner.ExecuteAsync(key, new Call<TState, TResult>(this, state, work), static (call, flight) => call.RunAsync(flight), cancellationToken);

    private void Watch(object result)
    {
        if (!_logged.ContainsKey(result.GetType()) && ContentHash.Of(result) is { } before) _ = CheckAsync(result, before);
    }

    private async Task CheckAsync(object result, int before)
    {
        await Task.Delay(checkAfter, clock).ConfigureAwait(false);
        if (ContentHash.Of(result) is { } now && now != before && _logged.TryAdd(result.GetType(), true)) Log.ResultMutated(logger, name, result.GetType(), typeof(TKey));
    }

    // A class, because native compilation would never come to an end of structs around structs.
    private sealed class Call<TState, TResult>(MutationDetectingSingleflight<TKey> owner, TState state, Func<TState, FlightContext, ValueTask<TResult>> work)
    {
        public async ValueTask<TResult> RunAsync(FlightContext flight)
        {
            var isShared = flight.IsCurrent; // a call that runs alone shares its result with nobody
            var result = await work(state, flight).ConfigureAwait(false);
            if (isShared && result is not null) owner.Watch(result);
            return result;
        }
    }
}
