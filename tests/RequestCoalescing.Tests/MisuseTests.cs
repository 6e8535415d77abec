namespace RequestCoalescing.Tests;

/// <summary>A ValueTask that is awaited twice: the misuser gets an InvalidOperationException, nobody else notices, and the process lives on.</summary>
public sealed class MisuseTests
{
    private const string Key = "post:12345";

    [Fact]
    public async Task Two_awaits_at_once()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        for (var round = 0; round < 100; round++)
        {
            var backend = new Backend<int>();
            var call = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
            var first = AwaitAsync(call);
            var second = AwaitAsync(call);
            await second.ThrowsAsync<InvalidOperationException>();
            (await backend.NextRunAsync()).Succeed(round);
            Assert.Equal(round, await first.SoonAsync());
        }

        static async Task<int> AwaitAsync(ValueTask<int> call) => await call;
    }

    [Fact]
    public async Task A_synchronization_context_that_resumes_its_caller_at_once_does_not_hang_it()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        var end = new TaskCompletionSource<int>();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            for (var round = 0; round < 100; round++)
            {
                var call = singleflight.ExecuteAsync(Key, _ => end.Task, alive.Token).GetAwaiter();
                end.TrySetResult(1);
                var got = 0;
                call.OnCompleted(() => got = call.GetResult()); // it has landed, or is about to
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref got) == 1, Patience.Limit));
                end = new TaskCompletionSource<int>();
            }
        });
    }

    [Fact]
    public async Task A_second_conversion_to_a_task()
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
        var first = call.AsTask();
        await call.AsTask().ThrowsAsync<InvalidOperationException>();
        (await backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await first.SoonAsync());
        await call.AsTask().ThrowsAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task Threads_that_await_what_lands_and_is_used_again_at_the_same_moment()
    {
        await using var singleflight = new Singleflight<int>();
        using var alive = new CancellationTokenSource();
        for (var round = 0; round < 2_000; round++)
        {
            var work = new TaskCompletionSource<int>();
            var call = singleflight.ExecuteAsync(round, _ => work.Task, alive.Token);
            var misusers = new Task<int>[4];
            var innocents = new Task<int>[8];
            Crowd.Run(3, thread =>
            {
                switch (thread)
                {
                    case 0:
                        work.SetResult(round);
                        for (var i = 0; i < innocents.Length; i++) innocents[i] = InnocentAsync(i);
                        break;
                    default:
                        misusers[(2 * thread) - 2] = AwaitAsync(call);
                        misusers[(2 * thread) - 1] = call.AsTask();
                        break;
                }
            });

            var got = 0;
            foreach (var misuser in misusers)
            {
                try
                {
                    Assert.Equal(round, await misuser.SoonAsync());
                    got++;
                }
                catch (InvalidOperationException)
                {
                    // Another one was first.
                }
            }

            Assert.Equal(1, got);
            for (var i = 0; i < innocents.Length; i++) Assert.Equal(-i, await innocents[i].SoonAsync());
        }

        static async Task<int> AwaitAsync(ValueTask<int> call) => await call;

        async Task<int> InnocentAsync(int number) => await singleflight.ExecuteAsync(
            -1 - number,
            async _ =>
            {
                await Task.Yield();
                return -number;
            },
            alive.Token);
    }

    private sealed class InlineContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => d(state);
    }
}
