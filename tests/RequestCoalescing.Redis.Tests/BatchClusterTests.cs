using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using RequestCoalescing.Tests.Batching;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Batch loaders of two nodes whose keys are flights of the whole cluster.</summary>
public sealed class BatchClusterTests : IAsyncLifetime
{
    private const string Name = "posts";

    private readonly RedisServer _redis = RedisServer.StartGarnet();
    private readonly List<ServiceProvider> _nodes = [];
    private readonly BatchBackend _backend = new();
    private readonly List<BatchCall> _calls = [];
    private readonly FakeTimeProvider _clock = new();
    private ConnectionMultiplexer _connection = null!;

    public async ValueTask InitializeAsync() => _connection = await _redis.ConnectAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var call in _calls) call.TryEnd(); // a loader waits for its calls
        foreach (var node in _nodes) await node.DisposeAsync();
        await _connection.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_key_that_another_node_loads_is_not_asked_again()
    {
        var (one, other) = (await StartNodeAsync(), await StartNodeAsync());
        var first = await TakeOffAsync(one, 1, 2, 3);
        var joined = LoadAsync(other, 2, 3);
        var rest = LoadAsync(other, 4, 5);
        await UntilPendingAsync(other, 2);
        await UntilAskedAsync(other, 4);
        var second = await TakeOffAsync();
        Assert.Equal([4, 5], second.Keys.Order());
        second.Succeed();
        Assert.Equal(["value 4", "value 5"], await rest);
        Assert.False(joined.IsCompleted);
        first.Call.Succeed();
        Assert.Equal(["value 1", "value 2", "value 3"], await first.Loads);
        Assert.Equal(["value 2", "value 3"], await joined);
        Assert.Equal(2, _backend.Calls);
    }

    [Fact]
    public async Task Values_missing_keys_and_errors_are_the_same_on_all_nodes()
    {
        var (one, other) = (await StartNodeAsync(), await StartNodeAsync());
        var leads = one.LoadManyAsync([1, 2, 3, 4]);
        await UntilPendingAsync(one, 4);
        var call = await TakeOffAsync();
        var follows = other.LoadManyAsync([4, 3, 2, 1, 4]);
        await UntilAskedAsync(other, 5);
        call.Answer.Set(1, "value 1");
        call.Answer.Set(2, null!);
        call.Answer.Fail(3, new InvalidDataException("It is broken."));
        call.End();
        var (led, followed) = (await leads.SoonAsync(), await follows.SoonAsync());
        Assert.Equal([(true, "value 1"), (true, null), (false, null), (false, null)], led.Select(static outcome => (outcome.IsFound, outcome.Value)));
        Assert.Equal([(false, null), (false, null), (true, null), (true, "value 1"), (false, null)], followed.Select(static outcome => (outcome.IsFound, outcome.Value)));
        Assert.IsType<InvalidDataException>(led[2].Error);
        var error = Assert.IsType<RemoteFlightException>(followed[1].Error);
        Assert.Contains("It is broken.", error.Message, StringComparison.Ordinal);
        Assert.All([led[0], led[1], led[3], followed[0], followed[2], followed[3], followed[4]], static outcome => Assert.Null(outcome.Error));
        Assert.Equal(1, _backend.Calls);
    }

    [Fact]
    public async Task After_Forget_on_one_node_the_other_asks_again()
    {
        var (one, other) = (await StartNodeAsync(), await StartNodeAsync());
        var before = await TakeOffAsync(one, 1);
        await _nodes[1].GetRequiredKeyedService<IClusterSingleflight<int>>(Name).ForgetAsync(1);
        var after = await TakeOffAsync(other, 1);
        after.Call.Succeed();
        Assert.Equal(["value 1"], await after.Loads);
        before.Call.Answer.Set(1, "old");
        before.Call.End();
        Assert.Equal(["old"], await before.Loads);
        Assert.Equal(2, _backend.Calls);
    }

    [Fact]
    public async Task A_key_whose_node_stops_goes_into_a_batch_of_the_node_that_waits()
    {
        var (one, other) = (await StartNodeAsync(), await StartNodeAsync());
        var lost = await TakeOffAsync(one, 1, 2);
        var waits = LoadAsync(other, 2);
        await UntilAskedAsync(other, 1);
        var stops = _nodes[0].DisposeAsync().AsTask();
        await lost.Call.CancelledAsync();
        lost.Call.End();
        await UntilPendingAsync(other, 1);
        var again = await TakeOffAsync();
        Assert.Equal([2], again.Keys);
        again.Succeed();
        Assert.Equal(["value 2"], await waits);
        await lost.Loads.ThrowsAsync<OperationCanceledException>();
        await stops.SoonAsync();
    }

    [Fact]
    public async Task A_caller_that_leaves_takes_its_key_out_of_the_batch_and_the_other_node_still_waits()
    {
        var (one, other) = (await StartNodeAsync(), await StartNodeAsync());
        using var leaves = new CancellationTokenSource();
        var leader = one.LoadAsync(1, leaves.Token);
        await UntilPendingAsync(one, 1);
        var follower = LoadAsync(other, 1);
        await UntilAskedAsync(other, 1);
        await leaves.CancelAsync();
        await leader.LeavesWithAsync(leaves.Token);
        await UntilPendingAsync(other, 1);
        await UntilPendingAsync(one, 0);
        var call = await TakeOffAsync();
        call.Succeed();
        Assert.Equal(["value 1"], await follower);
        Assert.Equal(1, _backend.Calls);
    }

    private async Task<BatchLoader<int, string>> StartNodeAsync()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConnectionMultiplexer>(_connection);
        services.AddBatchLoader<int, string>(
            Name,
            (_, keys, answer, token) => _backend.LoadAsync(keys, answer, token),
            options => (options.Window, options.TimeProvider) = (TimeSpan.FromSeconds(1), _clock))
            .UseRedis<int>(static key => $"{key}", configure: static options => options.CommandTimeout = TimeSpan.FromSeconds(10));
        var node = services.BuildServiceProvider();
        _nodes.Add(node);
        var loader = node.GetRequiredKeyedService<BatchLoader<int, string>>(Name);
        await loader.Singleflight.ExecuteAsync(-1, static _ => ValueTask.FromResult(0)); // the node has subscribed to its channel
        return loader;
    }

    private static Task<string?[]> LoadAsync(BatchLoader<int, string> loader, params int[] keys) =>
        Task.WhenAll(keys.Select(key => loader.LoadAsync(key))).SoonAsync();

    private static Task UntilPendingAsync(BatchLoader<int, string> loader, int count) =>
        Patience.UntilAsync(() => loader.GetStats().Pending == count, $"{count} keys wait for their batch");

    private async Task<(BatchCall Call, Task<string?[]> Loads)> TakeOffAsync(BatchLoader<int, string> loader, params int[] keys)
    {
        var loads = LoadAsync(loader, keys);
        await UntilPendingAsync(loader, keys.Length);
        return (await TakeOffAsync(), loads);
    }

    private async Task<BatchCall> TakeOffAsync()
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        _calls.Add(await _backend.NextAsync());
        return _calls[^1];
    }

    // A flight sends its question within the call. So Redis has answered it when it answers a later ping.
    private async Task UntilAskedAsync(BatchLoader<int, string> loader, int callers)
    {
        await loader.Singleflight.UntilSubscribersAsync(callers);
        await _connection.GetDatabase().PingAsync();
    }
}
