namespace RequestCoalescing.Testing;

// 4. A failure is one error for all subscribers, and nothing of it is kept.
public abstract partial class SingleflightContract
{
    [Fact]
    public async Task Law04_Every_subscriber_gets_the_same_error_and_the_work_is_not_retried()
    {
        var singleflight = Create();
        var backend = new Backend<int>();

        var callers = await WaitingCallersAsync(singleflight, 50, backend.RunAsync);
        var error = new InvalidDataException("no such post");
        (await backend.NextRunAsync()).Fail(error);

        foreach (var caller in callers) Assert.Same(error, await caller.ThrowsAsync<InvalidDataException>());
        Assert.Equal(1, backend.Runs);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Law04_The_call_after_a_failure_starts_a_new_flight()
    {
        var singleflight = Create();
        var failed = singleflight.ExecuteAsync<int>(Key, _ => ValueTask.FromException<int>(new InvalidDataException())).AsTask();
        await failed.ThrowsAsync<InvalidDataException>();

        Assert.Equal(1, await singleflight.ExecuteAsync(Key, _ => ValueTask.FromResult(1)).AsTask().SoonAsync());
    }

    [Theory]
    [InlineData("throws at once")]
    [InlineData("returns a failed task")]
    [InlineData("throws later")]
    public async Task Law04_Work_that_throws_early_fails_like_work_that_throws_late(string how)
    {
        var singleflight = Create();
        using var joined = new ManualResetEventSlim();
        var error = new InvalidDataException();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        ValueTask<int> Work()
        {
            started.SetResult();
            Assert.True(joined.Wait(Patience.Limit));
            return how switch
            {
                "throws at once" => throw error,
                "returns a failed task" => ValueTask.FromException<int>(error),
                _ => LaterAsync(),
            };
        }

        async ValueTask<int> LaterAsync()
        {
            await Task.Yield();
            throw error;
        }

        var leader = Task.Run(async () => await singleflight.ExecuteAsync(Key, _ => Work()));
        await started.Task.SoonAsync();
        var followers = await WaitingCallersAsync(singleflight, 5, _ => ValueTask.FromResult(0));
        joined.Set();

        Assert.Same(error, await leader.ThrowsAsync<InvalidDataException>());
        foreach (var follower in followers) Assert.Same(error, await follower.ThrowsAsync<InvalidDataException>());
    }

    [Fact]
    public async Task Law04_Work_that_returns_null_instead_of_a_task_fails_with_a_clear_error()
    {
        var singleflight = Create();
        var call = singleflight.ExecuteAsync(Key, (Func<CancellationToken, Task<int>>)(_ => null!)).AsTask();

        Assert.Contains("null", (await call.ThrowsAsync<InvalidOperationException>()).Message, StringComparison.Ordinal);
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
    }

    [Fact]
    public async Task Law04_A_null_result_is_a_result()
    {
        var singleflight = Create();
        Assert.Null(await singleflight.ExecuteAsync(Key, _ => Task.FromResult<string?>(null)).AsTask().SoonAsync());
    }
}
