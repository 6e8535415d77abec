namespace RequestCoalescing.Tests.Streaming;

/// <summary>A decorator that holds up calls or their work, repeats calls, or withholds from the engine or from the work what they usually have.</summary>
internal sealed class HookedSingleflight(ISingleflight<string> inner) : SingleflightBase<string>
{
    /// <summary>What a call waits for before it joins.</summary>
    public Task Join { get; set; } = Task.CompletedTask;

    /// <summary>What the work waits for before it begins.</summary>
    public Task Work { get; set; } = Task.CompletedTask;

    /// <summary>A call is made once more after this, or after its flight. Null if calls are made once.</summary>
    public Task? Again { get; set; }

    /// <summary>Whether work that has failed runs once more, in the same flight.</summary>
    public bool RepeatsWork { get; set; }

    /// <summary>Whether the work sees a flight that is not the engine's own.</summary>
    public bool HidesFlight { get; set; }

    /// <summary>Whether the engine does not get the token of the caller.</summary>
    public bool HidesToken { get; set; }

    /// <summary>Whether the work runs without the engine.</summary>
    public bool Bypasses { get; set; }

    /// <summary>How often a key has been forgotten.</summary>
    public int Forgets { get; private set; }

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats();

    protected override bool ForgetCore(string key)
    {
        Forgets++;
        return inner.Forget(key);
    }

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken)
    {
        if (Bypasses) return work(state, new FlightContext(new HiddenFlight(default)));
        return Join.IsCompleted && Again is null ? ExecuteAsync() : ExecuteLateAsync();

        async ValueTask<TResult> ExecuteLateAsync()
        {
            await Join;
            if (Again is { } again) await Task.WhenAny(ExecuteAsync().AsTask(), again);
            return await ExecuteAsync();
        }

        ValueTask<TResult> ExecuteAsync() => inner.ExecuteAsync(
            key,
            (Hooks: this, State: state, Work: work),
            static async (call, flight) =>
            {
                await call.Hooks.Work;
                var seen = call.Hooks.HidesFlight ? new FlightContext(new HiddenFlight(flight)) : flight;
                try
                {
                    return await call.Work(call.State, seen);
                }
                catch (IOException) when (call.Hooks.RepeatsWork)
                {
                    return await call.Work(call.State, seen);
                }
            },
            HidesToken ? default : cancellationToken);
    }

    private sealed class HiddenFlight(FlightContext flight) : IFlight
    {
        public CancellationToken CancellationToken => flight.CancellationToken;

        public bool IsCurrent => flight.IsCurrent;

        public int SubscriberCount => flight.SubscriberCount;
    }
}
