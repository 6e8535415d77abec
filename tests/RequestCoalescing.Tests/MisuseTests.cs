namespace RequestCoalescing.Tests;

/// <summary>If a ValueTask is awaited twice, one await gets an InvalidOperationException. Other callers are not affected, and the process lives on.</summary>
public sealed class MisuseTests
{
    private const string Key = "post:12345";

    [Fact]
    public async Task Two_simultaneous_awaits_give_one_result_and_one_error()
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
    public async Task A_synchronization_context_that_resumes_at_once_does_not_hang_its_caller()
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
                call.OnCompleted(() => got = call.GetResult()); // the flight has landed, or is about to
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref got) == 1, Patience.Limit));
                end = new TaskCompletionSource<int>();
            }
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_synchronization_context_that_accepts_no_work_loses_its_caller_and_not_the_process(bool isSecondAwait)
    {
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
        var first = isSecondAwait ? call.AsTask() : null;
        var run = await backend.NextRunAsync();
        if (!isSecondAwait)
        {
            run.Succeed(1);
            await Patience.UntilAsync(() => call.IsCompleted, "the caller has its result");
        }

        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new DeadContext());
            call.GetAwaiter().OnCompleted(static () => { }); // an exception here would end the process
        });
        if (!isSecondAwait) return;
        run.Succeed(1);
        Assert.Equal(1, await first!.SoonAsync());
    }

    [Fact]
    public async Task A_second_conversion_to_a_task_throws()
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
    public async Task Threads_that_race_with_the_landing_and_the_reuse_of_a_call_get_one_result()
    {
        await using var singleflight = new Singleflight<int>();
        using var alive = new CancellationTokenSource();
        for (var round = 0; round < 2_000; round++)
        {
            var work = new TaskCompletionSource<int>();
            var call = singleflight.ExecuteAsync(round, _ => work.Task, alive.Token);
            var awaiters = new Task<int>[4];
            var others = new Task<int>[8];
            Crowd.Run(3, thread =>
            {
                switch (thread)
                {
                    case 0:
                        work.SetResult(round);
                        for (var i = 0; i < others.Length; i++) others[i] = OtherAsync(i);
                        break;
                    default:
                        awaiters[(2 * thread) - 2] = AwaitAsync(call);
                        awaiters[(2 * thread) - 1] = call.AsTask();
                        break;
                }
            });

            var got = 0;
            foreach (var awaiter in awaiters)
            {
                try
                {
                    Assert.Equal(round, await awaiter.SoonAsync());
                    got++;
                }
                catch (InvalidOperationException)
                {
                    // Another await was first.
                }
            }

            Assert.Equal(1, got);
            for (var i = 0; i < others.Length; i++) Assert.Equal(-i, await others[i].SoonAsync());
        }

        static async Task<int> AwaitAsync(ValueTask<int> call) => await call;

        async Task<int> OtherAsync(int number) => await singleflight.ExecuteAsync(
            -1 - number,
            async _ =>
            {
                await Task.Yield();
                return -number;
            },
            alive.Token);
    }

    [Fact]
    public async Task A_thread_that_polls_calls_which_others_await_takes_results_and_loses_no_caller()
    {
        const int Callers = 40;
        await using var singleflight = new Singleflight();
        using var alive = new CancellationTokenSource();
        var backend = new Backend<int>();
        for (var round = 0; round < 300; round++)
        {
            var calls = new ValueTask<int>[Callers];
            var results = 0;
            using var resumed = new CountdownEvent(Callers);
            for (var i = 0; i < Callers; i++)
            {
                calls[i] = singleflight.ExecuteAsync(Key, backend.RunAsync, alive.Token);
                var call = calls[i];
                call.GetAwaiter().UnsafeOnCompleted(() =>
                {
                    TakeResult(call);
                    resumed.Signal();
                });
            }

            var run = await backend.NextRunAsync();
            Crowd.Run(2, thread =>
            {
                if (thread == 0)
                {
                    run.Succeed(round);
                    return;
                }

                while (!resumed.IsSet)
                {
                    foreach (var call in calls)
                    {
                        if (call.IsCompletedSuccessfully) TakeResult(call);
                    }
                }
            });
            Assert.Equal(Callers, results);

            void TakeResult(ValueTask<int> call)
            {
                try
                {
                    Assert.Equal(round, call.GetAwaiter().GetResult());
                    Interlocked.Increment(ref results);
                }
                catch (InvalidOperationException)
                {
                    // The other one was first.
                }
            }
        }
    }
}
