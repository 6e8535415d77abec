namespace RequestCoalescing.Tests;

/// <summary>Every form of work binds to the intended overload of ExecuteAsync. The compiler proves most of this.</summary>
public sealed class OverloadTests
{
    private readonly Singleflight<string> _engine = new();

    private ISingleflight<string> Singleflight => Of(_engine);

    [Fact]
    public async Task Asynchronous_lambdas_bind()
    {
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", async token => await LoadAsync(1, token)));
        Assert.Equal(2, await Singleflight.ExecuteAsync("a", async _ => await LoadTaskAsync(2)));
        Assert.Equal(3, await Singleflight.ExecuteAsync("a", 3, async (number, flight) => await LoadAsync(number, flight)));
        Assert.True(await Singleflight.ExecuteAsync("a", async flight =>
        {
            await Task.Yield();
            return flight.IsCurrent && flight.SubscriberCount == 1;
        }));
    }

    [Fact]
    public async Task Lambdas_that_return_a_task_bind()
    {
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", token => LoadAsync(1, token)));
        Assert.Equal(2, await Singleflight.ExecuteAsync("a", token => LoadTaskAsync(2, token)));
        Assert.Equal(3, await Singleflight.ExecuteAsync("a", 3, (number, flight) => LoadAsync(number, flight)));
        Assert.Equal(4, await Singleflight.ExecuteAsync("a", 4, (number, flight) => LoadTaskAsync(number, flight)));
        Assert.Equal(5, await Singleflight.ExecuteAsync("a", flight => flight.IsCurrent ? LoadAsync(5, flight) : LoadAsync(0, flight)));
        Assert.Equal(6, await Singleflight.ExecuteAsync("a", flight => flight.IsCurrent ? LoadTaskAsync(6, flight) : LoadTaskAsync(0, flight)));
        Assert.Equal(7, await Singleflight.ExecuteAsync("a", (FlightContext flight) => LoadAsync(7, flight)));
    }

    [Fact]
    public async Task Method_groups_bind()
    {
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", OneAsync));
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", OneTaskAsync));
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", One));
        Assert.Equal(3, await Singleflight.ExecuteAsync("a", 3, StateAsync));
        await Singleflight.ExecuteAsync("a", NothingAsync);
        await Singleflight.ExecuteAsync("a", NothingTaskAsync);

        static ValueTask<int> OneAsync(CancellationToken token) => new(1);
        static Task<int> OneTaskAsync(CancellationToken token) => Task.FromResult(1);
        static int One(CancellationToken token) => 1;
        static ValueTask<int> StateAsync(int state, FlightContext flight) => new(state);
        static ValueTask NothingAsync(CancellationToken token) => default;
        static Task NothingTaskAsync(CancellationToken token) => Task.CompletedTask;
    }

    [Fact]
    public async Task Synchronous_lambdas_bind()
    {
        Assert.Equal(1, await Singleflight.ExecuteAsync("a", _ => 1));
        Assert.Equal("b", await Singleflight.ExecuteAsync("a", token => token.IsCancellationRequested ? "a" : "b"));
        Assert.Equal(2, await Singleflight.ExecuteAsync("a", _ =>
        {
            var sum = 1;
            return sum + 1;
        }));
    }

    [Fact]
    public async Task Work_without_a_result_binds()
    {
        var done = 0;
        await Singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            done++;
        });
        await Singleflight.ExecuteAsync("a", _ => Task.Run(() => done++));
        await Singleflight.ExecuteAsync("a", token => DelayAsync(token));
        await Singleflight.ExecuteAsync("a", async token => await DelayAsync(token));
        Assert.Equal(2, done);

        static Task DelayAsync(CancellationToken token) => Task.Delay(0, token);
    }

    [Fact]
    public async Task Explicit_result_types_bind()
    {
        Assert.Equal([1], await Singleflight.ExecuteAsync<IReadOnlyList<int>>("a", async _ => [await LoadAsync(1, default)]));
        Assert.Equal(2, await Singleflight.ExecuteAsync<object>("a", async _ => await LoadTaskAsync(2)));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await Singleflight.ExecuteAsync<int>("a", _ => throw new InvalidDataException()));
    }

    [Fact]
    public async Task All_forms_bind_on_the_engine_itself()
    {
        Assert.Equal(1, await _engine.ExecuteAsync("a", _ => 1));
        await _engine.ExecuteAsync("a", async _ => await Task.Yield());
        Assert.True(await _engine.ExecuteAsync("a", async flight =>
        {
            await Task.Yield();
            return flight.IsCurrent;
        }));
        await using var numbers = new Singleflight<long>();
        Assert.Equal(2, await numbers.ExecuteAsync(1, _ => 2));
    }

    [Fact]
    public async Task Work_without_a_result_is_coalesced_fails_and_is_cancelled_like_other_work()
    {
        using var aborted = new CancellationTokenSource();
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var runs = 0;
        var calls = Enumerable.Range(0, 3).Select(_ => CallAsync(default)).ToArray();
        var leaving = CallAsync(aborted.Token);
        await Singleflight.UntilSubscribersAsync(4);
        aborted.Cancel();
        await leaving.LeavesWithAsync(aborted.Token);
        end.SetException(new InvalidDataException());
        foreach (var call in calls) await call.ThrowsAsync<InvalidDataException>();
        Assert.Equal(1, runs);

        Task CallAsync(CancellationToken token) => Singleflight.ExecuteAsync(
            "a",
            _ =>
            {
                runs++;
                return end.Task;
            },
            token).AsTask();
    }

    [Fact]
    public async Task Work_without_a_result_that_waits_for_itself_gets_an_error()
    {
        var call = Singleflight.ExecuteAsync("a", async _ =>
        {
            await Task.Yield();
            await Singleflight.ExecuteAsync("a", async _ => await Task.Yield());
        }).AsTask();
        await call.ThrowsAsync<FlightDeadlockException>();
    }

    [Fact]
    public void A_null_argument_throws_at_the_call()
    {
        Assert.Throws<ArgumentNullException>(() => { _ = Singleflight.ExecuteAsync("a", (Func<CancellationToken, Task>)null!); });
        Assert.Throws<ArgumentNullException>(() => { _ = Singleflight.ExecuteAsync("a", (Func<CancellationToken, int>)null!); });
        Assert.Throws<ArgumentNullException>(() => { _ = Singleflight.ExecuteAsync(null!, _ => 1); });
        Assert.Throws<ArgumentNullException>(() => { _ = ((ISingleflight<string>)null!).ExecuteAsync("a", _ => 1); });
    }

    private static ISingleflight<TKey> Of<TKey>(ISingleflight<TKey> singleflight)
        where TKey : notnull => singleflight;

    private static async ValueTask<int> LoadAsync(int number, CancellationToken token)
    {
        await Task.Yield();
        token.ThrowIfCancellationRequested();
        return number;
    }

    private static Task<int> LoadTaskAsync(int number, CancellationToken token = default) => LoadAsync(number, token).AsTask();
}
