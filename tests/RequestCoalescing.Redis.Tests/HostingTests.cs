using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Tests;

/// <summary>Instances from dependency injection, and their settings.</summary>
public sealed class HostingTests
{
    private const string Key = "post:12345";
    private readonly Backend<int> _backend = new();

    [Fact]
    public async Task Registered_instances_share_runs_through_an_existing_connection_or_their_own()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        var first = new ServiceCollection();
        first.AddSingleton<IConnectionMultiplexer>(connection);
        first.AddSingleflight("posts").UseRedis();
        var second = new ServiceCollection();
        second.AddSingleflight("posts").UseRedis(server.ConnectionString, options => options.LeaseDuration = TimeSpan.FromSeconds(5));
        await using var one = first.BuildServiceProvider();
        await using var other = second.BuildServiceProvider();
        ISingleflight[] nodes = [one.GetRequiredKeyedService<ISingleflight>("posts"), other.GetRequiredKeyedService<ISingleflight>("posts")];
        foreach (var node in nodes) await node.ExecuteAsync("warm-up", static _ => ValueTask.FromResult(0));

        var leader = nodes[1].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var follower = nodes[0].ExecuteAsync(Key, _backend.RunAsync).AsTask();
        await nodes[0].UntilSubscribersAsync(1);
        await connection.GetDatabase().PingAsync(); // the answer comes after that to the follower's command
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        Assert.Equal(1, await follower.SoonAsync());
        Assert.Equal(1, _backend.Runs);
    }

    [Fact]
    public async Task The_second_run_beside_a_slow_leader_lands_for_all_nodes()
    {
        await using var server = RedisServer.StartGarnet();
        await using var slow = Hedging(server);
        await using var other = Hedging(server);
        foreach (var node in new[] { slow, other }) await Get(node).ExecuteAsync("warm-up", static _ => ValueTask.FromResult(0));

        var leader = Get(slow).ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        var elsewhere = Get(other).ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var follower = Get(slow).ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(7);
        Assert.Equal((IEnumerable<int>)[7, 7, 7], await Task.WhenAll(leader, follower, elsewhere).SoonAsync());
        await first.CancelledAsync();
        Assert.Equal((2, 1L), (_backend.Runs, Get(slow).GetStats().Hedges));

        static ISingleflight Get(ServiceProvider node) => node.GetRequiredKeyedService<ISingleflight>("posts");

        static ServiceProvider Hedging(RedisServer server)
        {
            var services = new ServiceCollection();
            services.AddSingleflight("posts")
                .WithHedging(static hedging => hedging.HedgeAfter = TimeSpan.FromMilliseconds(1))
                .UseRedis(server.ConnectionString, static options => options.CommandTimeout = TimeSpan.FromSeconds(10));
            return services.BuildServiceProvider();
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("posts")]
    public async Task A_caller_can_wait_until_the_whole_cluster_has_forgotten(string? name)
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        var timeout = (name is null ? "Singleflight:Redis:CommandTimeout" : "Singleflight:posts:Redis:CommandTimeout", "00:00:10");
        await using var one = Provider(connection, name, timeout);
        await using var other = Provider(connection, name, timeout);
        T Get<T>(IServiceProvider provider)
            where T : notnull => name is null ? provider.GetRequiredService<T>() : provider.GetRequiredKeyedService<T>(name);

        var before = Get<ISingleflight<string>>(one).ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var first = await _backend.NextRunAsync();
        await Get<IClusterSingleflight<string>>(other).ForgetAsync(Key);
        var after = Get<ISingleflight<string>>(other).ExecuteAsync(Key, _backend.RunAsync).AsTask();
        (await _backend.NextRunAsync()).Succeed(2);
        Assert.Equal(2, await after.SoonAsync());
        first.Succeed(1);
        Assert.Equal(1, await before.SoonAsync());
    }

    [Fact]
    public void Keys_that_are_not_strings_need_a_text()
    {
        var builder = new ServiceCollection().AddSingleflight<long>("posts");
        Assert.Contains("UseRedis<Int64>(key => …)", Assert.Throws<ArgumentException>("builder", () => builder.UseRedis()).Message, StringComparison.Ordinal);
        builder.UseRedis<long>(key => $"{key}");
        var untitled = new ServiceCollection();
        untitled.AddSingleflight<long>().UseRedis<long>(key => $"{key}");
        Assert.Contains(untitled, service => service.ServiceType == typeof(IClusterSingleflight<long>) && !service.IsKeyedService);
    }

    [Fact]
    public void UseRedis_can_be_called_once_for_each_instance()
    {
        var builder = new ServiceCollection().AddSingleflight("posts").UseRedis();
        Assert.Contains("posts", Assert.Throws<InvalidOperationException>(() => builder.UseRedis()).Message, StringComparison.Ordinal);
        builder.Services.AddSingleflight("others").UseRedis();
    }

    [Theory]
    [InlineData(null, "Singleflight:Redis")]
    [InlineData("posts", "Singleflight:posts:Redis")]
    public async Task Settings_override_the_values_of_code(string? name, string section)
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var provider = Provider(connection, name, ($"{section}:KeyPrefix", "from-settings"), ($"{section}:LeaseDuration", "00:05:00"));
        var node = name is null ? provider.GetRequiredService<ISingleflight>() : provider.GetRequiredKeyedService<ISingleflight>(name);
        var call = node.ExecuteAsync(Key, _backend.RunAsync).AsTask();
        var run = await _backend.NextRunAsync();
        var left = await connection.GetDatabase().KeyTimeToLiveAsync($"from-settings:{{{Key}}}:{Key}:lease");
        Assert.InRange(left!.Value, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
        run.Succeed(1);
        Assert.Equal(1, await call.SoonAsync());
    }

    [Fact]
    public async Task An_invalid_setting_throws_with_its_path()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=100,connectRetry=0");
        await using var provider = Provider(connection, "posts", ("Singleflight:posts:Redis:PollInterval", "00:01:00"));
        var error = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredKeyedService<ISingleflight>("posts"));
        Assert.Contains("Singleflight:posts:Redis:PollInterval: PollInterval must be from", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LeaseDuraton", "00:00:05", "Singleflight:posts:Redis:LeaseDuraton is no setting. Did you mean 'LeaseDuration'?")]
    [InlineData("LeaseDuration", "5", "Singleflight:posts:Redis:LeaseDuration: '5' would be days. Write 00:00:05")]
    [InlineData("Serializer", "Json", "Singleflight:posts:Redis:Serializer is no setting.")]
    public async Task A_setting_without_effect_throws(string setting, string value, string message)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=100,connectRetry=0");
        await using var provider = Provider(connection, "posts", ($"Singleflight:posts:Redis:{setting}", value));
        var error = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredKeyedService<ISingleflight>("posts"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("KeyPrefix")]
    [InlineData("LeaseDuration")]
    [InlineData("OutcomeRetention")]
    [InlineData("CommandTimeout")]
    [InlineData("OutageBreak")]
    [InlineData("PollInterval")]
    [InlineData("MaxPayloadBytes")]
    [InlineData("MaxMessageBytes")]
    public async Task An_invalid_option_throws(string option)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=100,connectRetry=0");
        var options = new RedisSingleflightOptions();
        var property = typeof(RedisSingleflightOptions).GetProperty(option)!;
        property.SetValue(options, property.PropertyType == typeof(string) ? "a{b}" : property.PropertyType == typeof(int) ? -1 : TimeSpan.FromDays(2));
        Assert.Equal(option, Assert.ThrowsAny<ArgumentException>(() => new RedisSingleflight(connection, null, options)).ParamName);
    }

    [Fact]
    public async Task The_configuration_reference_describes_every_setting()
    {
        var table = new SettingsTable("Redis");
        table.ListsEverySettingOf(new RedisSingleflightOptions(), "Serializer", "TimeProvider");
        await using var connection = await ConnectionMultiplexer.ConnectAsync("127.0.0.1:1,abortConnect=false,connectTimeout=100,connectRetry=0");
        table.GivesTheRangesOf((setting, value) =>
        {
            using var provider = Provider(connection, name: null, ($"Singleflight:Redis:{setting}", value));
            provider.GetRequiredService<ISingleflight>();
        });
    }

    [Fact]
    public async Task A_result_that_cannot_be_serialized_is_logged_once()
    {
        await using var server = RedisServer.StartGarnet();
        await using var connection = await server.ConnectAsync();
        await using var provider = Provider(connection, "posts");
        var node = provider.GetRequiredKeyedService<ISingleflight>("posts");
        for (var i = 0; i < 2; i++) Assert.Equal(typeof(int), await node.ExecuteAsync(Key, static _ => ValueTask.FromResult(typeof(int))));
        var logged = Assert.Single(provider.GetFakeLogCollector().GetSnapshot(), entry => entry.Id.Id == 104);
        Assert.Contains("System.Type", logged.Message, StringComparison.Ordinal);
        Assert.NotNull(logged.Exception);
    }

    private static ServiceProvider Provider(IConnectionMultiplexer connection, string? name, params (string Setting, string Value)[] settings)
    {
        var services = new ServiceCollection();
        services.AddFakeLogging();
        services.AddSingleton(connection);
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Setting, setting => (string?)setting.Value)).Build());
        var builder = name is null ? services.AddSingleflight() : services.AddSingleflight(name);
        builder.UseRedis(configure: options => options.KeyPrefix = "from-code");
        return services.BuildServiceProvider();
    }
}
