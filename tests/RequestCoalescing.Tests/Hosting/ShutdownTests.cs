using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Hosting;

/// <summary>The host's shutdown drains all instances.</summary>
public sealed class ShutdownTests
{
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task A_shutdown_refuses_new_calls_and_running_flights_land()
    {
        using var host = Start(TimeSpan.FromMinutes(1));
        var singleflight = host.Services.GetRequiredService<ISingleflight>();
        var flying = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();

        var stopping = host.StopAsync();
        await Refused(singleflight, "a");
        await Refused(singleflight, "b");
        Assert.False(stopping.IsCompleted || run.Token.IsCancellationRequested);

        run.Succeed(1);
        Assert.Equal(1, await flying.SoonAsync());
        await stopping.SoonAsync();
        await Refused(singleflight, "a");
        Assert.Equal(3, singleflight.GetStats().Rejected);
    }

    [Fact]
    public async Task Running_work_may_start_the_flights_it_needs()
    {
        using var host = Start(TimeSpan.FromMinutes(1));
        var singleflight = host.Services.GetRequiredService<ISingleflight>();
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var flying = singleflight.ExecuteAsync("a", async _ =>
        {
            await go.Task;
            return 1 + await singleflight.ExecuteAsync("b", static async _ =>
            {
                await Task.Yield();
                return 1;
            });
        }).AsTask();

        var stopping = host.StopAsync();
        await Refused(singleflight, "c");
        go.SetResult();
        Assert.Equal(2, await flying.SoonAsync());
        await stopping.SoonAsync();
    }

    [Fact]
    public async Task Flights_that_still_run_at_the_deadline_are_cancelled()
    {
        using var host = Start(TimeSpan.FromMinutes(1));
        var singleflight = host.Services.GetRequiredService<ISingleflight>();
        var flying = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();

        using var deadline = new CancellationTokenSource();
        var stopping = host.StopAsync(deadline.Token);
        await Refused(singleflight, "a");
        await deadline.CancelAsync();
        await run.CancelledAsync();
        await flying.ThrowsAsync<OperationCanceledException>();
        await stopping.SoonAsync();
    }

    [Fact]
    public async Task A_drained_engine_can_be_disposed()
    {
        var singleflight = new Singleflight();
        var flying = singleflight.ExecuteAsync("a", _backend.RunAsync).AsTask();
        var drained = singleflight.DrainAsync();
        Assert.False(drained.IsCompleted);
        await singleflight.DisposeAsync();
        await drained.SoonAsync();
        await flying.ThrowsAsync<OperationCanceledException>();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await singleflight.ExecuteAsync("a", _backend.RunAsync));
        await singleflight.DrainAsync().SoonAsync();
    }

    [Fact]
    public async Task New_calls_cannot_join_flights_that_running_work_starts()
    {
        await using var singleflight = new Singleflight();
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var flying = singleflight.ExecuteAsync("a", async _ =>
        {
            await go.Task;
            return await singleflight.ExecuteAsync("b", _backend.RunAsync);
        }).AsTask();
        var drained = singleflight.DrainAsync();
        go.SetResult();
        var run = await _backend.NextRunAsync();
        await Refused(singleflight, "b");
        Assert.False(drained.IsCompleted);
        run.Succeed(1);
        Assert.Equal(1, await flying.SoonAsync());
        await drained.SoonAsync();
    }

    [Fact]
    public async Task A_drain_waits_for_flights_that_landed_work_did_not_await()
    {
        await using var singleflight = new Singleflight(new SingleflightOptions { DetectDeadlocks = false });
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new List<Task<int>>();
        var flying = singleflight.ExecuteAsync("a", async _ =>
        {
            await go.Task;
            for (var i = 0; i < 50; i++) left.Add(singleflight.ExecuteAsync($"b{i}", _backend.RunAsync).AsTask());
            return 1;
        }).AsTask();
        var drained = singleflight.DrainAsync();
        go.SetResult();
        Assert.Equal(1, await flying.SoonAsync());
        for (var i = 0; i < 50; i++)
        {
            var run = await _backend.NextRunAsync();
            Assert.False(drained.IsCompleted);
            run.Succeed(2);
        }

        await drained.SoonAsync();
        Assert.Equal(0, singleflight.GetStats().InFlightCount);
        Assert.Equal(100, (await Task.WhenAll(left).SoonAsync()).Sum());
    }

    [Fact]
    public async Task Work_whose_flight_has_landed_can_start_no_flights()
    {
        await using var singleflight = new Singleflight();
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task? background = null;
        await singleflight.ExecuteAsync("a", _ =>
        {
            background = Task.Run(async () =>
            {
                await go.Task;
                await singleflight.ExecuteAsync("b", static _ => ValueTask.FromResult(0));
            });
            return ValueTask.FromResult(1);
        });
        await singleflight.DrainAsync().SoonAsync();
        go.SetResult();
        await background!.ThrowsAsync<FlightRejectedException>();
    }

    [Fact]
    public async Task After_the_deadline_the_host_does_not_wait_and_logs_it()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLogging(logging => logging.AddFakeLogging());
        builder.Services.AddSingleflight(options => options.MaxDuration = TimeSpan.FromHours(1));
        var host = builder.Build();
        await host.StartAsync();
        var hung = host.Services.GetRequiredService<ISingleflight>().ExecuteAsync("a", _backend.RunStubbornAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var log = host.Services.GetFakeLogCollector();

        await host.StopAsync(new CancellationToken(canceled: true)).SoonAsync();
        Assert.Single(log.GetSnapshot(), entry => entry.Id.Id == 12);
        await ((IAsyncDisposable)host).DisposeAsync().AsTask().SoonAsync();
        Assert.True(run.Token.IsCancellationRequested);
        run.Succeed(1);
        await hung.SoonAsync();
    }

    [Fact]
    public async Task A_flight_of_one_instance_may_call_another_while_both_shut_down()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleflight("posts");
        builder.Services.AddSingleflight("users");
        using var host = builder.Build();
        await host.StartAsync();
        var posts = host.Services.GetRequiredKeyedService<ISingleflight>("posts");
        var users = host.Services.GetRequiredKeyedService<ISingleflight>("users");
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var flying = posts.ExecuteAsync("a", async _ =>
        {
            await goOn.Task;
            return await users.ExecuteAsync("b", _backend.RunAsync);
        }).AsTask();

        var stopping = host.StopAsync();
        await Refused(users, "c");
        goOn.SetResult();
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.Equal(1, await flying.SoonAsync());
        await stopping.SoonAsync();
        await Refused(posts, "a");
    }

    [Fact]
    public async Task A_hosted_service_that_was_registered_first_can_call_while_it_stops()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton<LastCaller>();
        builder.Services.AddHostedService(services => services.GetRequiredService<LastCaller>());
        builder.Services.AddSingleflight();
        using var host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
        Assert.Equal(1, host.Services.GetRequiredService<LastCaller>().Got);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_decorator_is_disposed_once(bool asynchronously)
    {
        var services = new ServiceCollection();
        DisposableDecorator? decorator = null;
        services.AddSingleflight("a").Decorate<string>((_, inner) => decorator = new DisposableDecorator(inner));
        var provider = services.BuildServiceProvider();
        Assert.Equal(1, await provider.GetRequiredKeyedService<ISingleflight>("a").ExecuteAsync("a", _ => 1));
        Assert.Single(provider.GetServices<SingleflightInstance>());

        if (asynchronously) await provider.DisposeAsync();
        else provider.Dispose();
        await Patience.UntilAsync(() => decorator!.Disposals > 0, "the decorator has been disposed");
        Assert.Equal(1, decorator!.Disposals);
    }

    private static async Task Refused(ISingleflight singleflight, string key)
    {
        var exception = await Assert.ThrowsAsync<FlightRejectedException>(
            async () => await singleflight.ExecuteAsync(key, static _ => ValueTask.FromResult(0)));
        Assert.Equal(FlightRejectionReason.Draining, exception.Reason);
        Assert.Contains("its host is shutting down", exception.Message, StringComparison.Ordinal);
    }

    private static IHost Start(TimeSpan deadline)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = deadline);
        builder.Services.AddSingleflight();
        var host = builder.Build();
        host.Start();
        return host;
    }

    private sealed class LastCaller(ISingleflight singleflight) : IHostedService
    {
        public int Got { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StopAsync(CancellationToken cancellationToken) =>
            Got = await singleflight.ExecuteAsync("last", static _ => ValueTask.FromResult(1), cancellationToken);
    }

    private sealed class DisposableDecorator(ISingleflight<string> inner) : SingleflightBase<string>, IAsyncDisposable
    {
        private int _disposals;

        public int Disposals => Volatile.Read(ref _disposals);

        public override void Clear() => inner.Clear();

        public override SingleflightStats GetStats() => inner.GetStats();

        public ValueTask DisposeAsync()
        {
            Interlocked.Increment(ref _disposals);
            return default;
        }

        protected override bool ForgetCore(string key) => inner.Forget(key);

        protected override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
            string key,
            TState state,
            Func<TState, FlightContext, ValueTask<TResult>> work,
            CancellationToken cancellationToken) => inner.ExecuteAsync(key, state, work, cancellationToken);
    }
}
