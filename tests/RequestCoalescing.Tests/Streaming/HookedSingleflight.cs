namespace RequestCoalescing.Tests.Streaming;

/// <summary>A decorator that can hold up a call before it joins, or its work before it begins.</summary>
internal sealed class HookedSingleflight(ISingleflight<string> inner) : SingleflightBase<string>
{
    /// <summary>What a call waits for before it joins.</summary>
    public Task Join { get; set; } = Task.CompletedTask;

    /// <summary>What the work waits for before it begins.</summary>
    public Task Work { get; set; } = Task.CompletedTask;

    /// <summary>Whether the work sees a flight that is not the engine's own.</summary>
    public bool HidesFlight { get; set; }

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats();

    /// <summary>How often a key has been forgotten.</summary>
    public int Forgets { get; private set; }

    protected override bool ForgetCore(string key)
    {
        Forgets++;
        return inner.Forget(key);
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken)
    {
        return Join.IsCompleted ? ExecuteAsync() : ExecuteLateAsync();

        async ValueTask<TResult> ExecuteLateAsync()
        {
            await Join;
            return await ExecuteAsync();
        }

        ValueTask<TResult> ExecuteAsync() => inner.ExecuteAsync(
            key,
            (Hooks: this, State: state, Work: work),
            static async (call, flight) =>
            {
                await call.Hooks.Work;
                return await call.Work(call.State, call.Hooks.HidesFlight ? new FlightContext(new HiddenFlight(flight)) : flight);
            },
            cancellationToken);
    }

    private sealed class HiddenFlight(FlightContext flight) : IFlight
    {
        public CancellationToken CancellationToken => flight.CancellationToken;

        public bool IsCurrent => flight.IsCurrent;

        public int SubscriberCount => flight.SubscriberCount;
    }
}
