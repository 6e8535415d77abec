namespace RequestCoalescing.Testing.Tests.Snippets;

// <snippet decorator>
public sealed class CountingSingleflight(Singleflight inner) : SingleflightBase<string>, IAsyncDisposable
{
    private long _calls;

    public long Calls => Interlocked.Read(ref _calls);

    public override void Clear() => inner.Clear();

    public override SingleflightStats GetStats() => inner.GetStats();

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    protected override bool ForgetCore(string key) => inner.Forget(key);

    protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        string key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _calls);
        return inner.ExecuteAsync(key, state, work, cancellationToken);
    }
}
// </snippet>

// <snippet contract-tests>
public sealed class CountingSingleflightTests : SingleflightContract
{
    protected override ISingleflight<string> CreateSingleflight(SingleflightOptions options) =>
        new CountingSingleflight(new Singleflight(options));
}
// </snippet>
