using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RequestCoalescing;
using RequestCoalescing.Redis.Protocol;
using RequestCoalescing.Redis.Telemetry;
using RequestCoalescing.Shared;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Lets a registered instance coalesce across processes.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>Coalesces this instance across all processes that have it under the same name, through Redis.</summary>
    /// <param name="builder">The instance; its keys are strings.</param>
    /// <param name="connectionString">The address of Redis, as StackExchange.Redis reads it. The instance connects when it is created. If that fails, it counts as an outage, and the instance is created all the same.</param>
    /// <param name="configure">
    /// Sets the application's defaults. <see cref="RedisSingleflightOptions.KeyPrefix"/> is <c>singleflight:name</c> unless it is set. Settings in
    /// <c>Singleflight[:name]:Redis</c> override them.
    /// </param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are not strings.</exception>
    /// <exception cref="InvalidOperationException">The instance uses Redis already.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight("posts").UseRedis("redis:6379", redis => redis.LeaseDuration = TimeSpan.FromSeconds(5));
    /// </code>
    /// </example>
    public static ISingleflightBuilder UseRedis(this ISingleflightBuilder builder, string connectionString, Action<RedisSingleflightOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        var configuration = ConfigurationOptions.Parse(connectionString);
        configuration.AbortOnConnectFail = false;
        configuration.ReconnectRetryPolicy = new LinearRetry(500); // the default waits for seconds, and the node coalesces alone for as long
        return builder.Use<string>(static key => key, _ => (ConnectionMultiplexer.Connect(configuration), true), configure);
    }

    /// <summary>As <see cref="UseRedis(ISingleflightBuilder, string, Action{RedisSingleflightOptions}?)"/>, over an existing connection of the application.</summary>
    /// <param name="builder">The instance; its keys are strings.</param>
    /// <param name="connection">Finds the connection; null for the <see cref="IConnectionMultiplexer"/> among the services. Not disposed by the instance.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are not strings.</exception>
    public static ISingleflightBuilder UseRedis(
        this ISingleflightBuilder builder,
        Func<IServiceProvider, IConnectionMultiplexer>? connection = null,
        Action<RedisSingleflightOptions>? configure = null) =>
        builder.Use<string>(static key => key, Existing(connection), configure);

    /// <summary>As <see cref="UseRedis(ISingleflightBuilder, Func{IServiceProvider, IConnectionMultiplexer}?, Action{RedisSingleflightOptions}?)"/>, for keys of any type.</summary>
    /// <typeparam name="TKey">The type of the instance's keys.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="textOf">Writes a key as text: equal texts for equal keys and different texts for different keys, on every node.</param>
    /// <param name="connection">Finds the connection; null for the <see cref="IConnectionMultiplexer"/> among the services.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight&lt;PostKey>("posts").UseRedis&lt;PostKey>(key => $"{key.Id}:{key.Page}");
    /// </code>
    /// </example>
    public static ISingleflightBuilder UseRedis<TKey>(
        this ISingleflightBuilder builder,
        Func<TKey, string> textOf,
        Func<IServiceProvider, IConnectionMultiplexer>? connection = null,
        Action<RedisSingleflightOptions>? configure = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(textOf);
        return builder.Use(textOf, Existing(connection), configure);
    }

    /// <summary>As <see cref="UseRedis(ISingleflightBuilder, Func{IServiceProvider, IConnectionMultiplexer}?, Action{RedisSingleflightOptions}?)"/>, for generated keys, whose text is the name in Redis.</summary>
    /// <typeparam name="TKey">The type of the instance's keys: a record struct with <see cref="CoalescingKeyAttribute"/>.</typeparam>
    /// <param name="builder">The instance.</param>
    /// <param name="connection">Finds the connection; null for the <see cref="IConnectionMultiplexer"/> among the services.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleflight&lt;PostKey>().UseRedis&lt;PostKey>();    // [CoalescingKey] partial record struct PostKey(string Id, int Limit)
    /// </code>
    /// </example>
    public static ISingleflightBuilder UseRedis<TKey>(
        this ISingleflightBuilder builder,
        Func<IServiceProvider, IConnectionMultiplexer>? connection = null,
        Action<RedisSingleflightOptions>? configure = null)
        where TKey : ICoalescingKey =>
        builder.Use<TKey>(static key => key.ToString(null, CultureInfo.InvariantCulture), Existing(connection), configure);

    private static Func<IServiceProvider, (IConnectionMultiplexer Connection, bool IsOwned)> Existing(Func<IServiceProvider, IConnectionMultiplexer>? connection) =>
        services => (connection?.Invoke(services) ?? services.GetRequiredService<IConnectionMultiplexer>(), false);

    private static ISingleflightBuilder Use<TKey>(
        this ISingleflightBuilder builder,
        Func<TKey, string> textOf,
        Func<IServiceProvider, (IConnectionMultiplexer Connection, bool IsOwned)> connect,
        Action<RedisSingleflightOptions>? configure)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(builder);
        var name = builder.Name.Length == 0 ? "default" : builder.Name;
        if (builder.KeyType != typeof(TKey))
        {
            throw new ArgumentException(
                $"The instance '{name}' has keys of type {builder.KeyType}, and not of type {typeof(TKey)}. For keys that are not strings, say how a key is written as text, equal texts for equal keys: UseRedis<{builder.KeyType.Name}>(key => …).",
                nameof(builder));
        }

        if (builder.Services.Any(service => service.ImplementationInstance is Marker marker && marker.Name == builder.Name))
        {
            throw new InvalidOperationException($"The instance '{name}' uses Redis already. Call UseRedis once for each instance.");
        }

        builder.Decorate<TKey>((services, inner) =>
        {
            var options = services.GetRequiredService<IOptionsFactory<RedisSingleflightOptions>>().Create(builder.Name);
            var logger = services.GetService<ILoggerFactory>()?.CreateLogger(typeof(RedisSingleflight).FullName!) ?? NullLogger.Instance;
            var joinWindow = services.GetRequiredService<IOptionsFactory<SingleflightOptions>>().Create(builder.Name).JoinWindow;
            var (connection, isOwned) = connect(services);
            return services.GetRequiredKeyedService<HostedCluster<TKey>.Part>(builder.Name).Cluster = new ClusterSingleflight<TKey>(
                inner, connection, textOf, options, joinWindow, new ClusterTelemetry(name, logger, services.GetService<IMeterFactory>()), isOwned);
        });
        builder.Services.AddSingleton(new Marker(builder.Name));
        builder.Services.AddKeyedSingleton(builder.Name, static (_, _) => new HostedCluster<TKey>.Part());
        builder.AddHostedCluster<TKey>();
        builder.Services.Configure<RedisSingleflightOptions>(builder.Name, options => options.KeyPrefix = $"singleflight:{name}");
        if (configure is not null) builder.Services.Configure(builder.Name, configure);
        return builder.BindSettings<RedisSingleflightOptions>("Redis", static (section, options) => section.Bind(options), static options => options.Validate());
    }

    // Registered like the instance itself: under its name, or by the type of its keys alone.
    private static void AddHostedCluster<TKey>(this ISingleflightBuilder builder)
        where TKey : notnull
    {
        if (builder.IsKeyed<TKey>()) builder.Services.AddKeyedSingleton(builder.Name, (services, _) => Create(services));
        else builder.Services.AddSingleton(Create);

        IClusterSingleflight<TKey> Create(IServiceProvider services) =>
            new HostedCluster<TKey>(builder.Find<TKey>(services), services.GetRequiredKeyedService<HostedCluster<TKey>.Part>(builder.Name));
    }

    private sealed record Marker(string Name);
}
