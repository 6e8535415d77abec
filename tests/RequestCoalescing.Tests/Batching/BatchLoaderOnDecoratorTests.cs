namespace RequestCoalescing.Tests.Batching;

/// <summary>A loader on a decorator keeps the rules. The decorator's work is asynchronous before and after the loader's.</summary>
public sealed class BatchLoaderOnDecoratorTests : BatchLoaderContract
{
    protected override ISingleflight<int> Around(Singleflight<int> engine) => new Decorator(engine);

    private sealed class Decorator(Singleflight<int> inner) : SingleflightBase<int>
    {
        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats() => inner.GetStats();

        protected override bool ForgetCore(int key) => inner.Forget(key);

        protected override async ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            int key, TState state, Func<TState, FlightContext, ValueTask<TResult>> work, CancellationToken cancellationToken) =>
            await inner.ExecuteAsync(
                key,
                (state, work),
                static async (call, flight) =>
                {
                    var result = await call.work(call.state, flight);
                    await Task.Yield();
                    return result;
                },
                cancellationToken);
    }
}
