using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RequestCoalescing;
using RequestCoalescing.Batching;
using RequestCoalescing.DependencyInjection;
using RequestCoalescing.Telemetry;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers batch loaders.</summary>
public static class BatchLoaderServiceCollectionExtensions
{
    /// <summary>
    /// Registers a loader as a keyed service, <c>[FromKeyedServices("name")] BatchLoader&lt;TKey, TValue&gt;</c>, on an instance of the same name that
    /// <c>AddSingleflight</c> registers too. The host drains it when it stops.
    /// </summary>
    /// <typeparam name="TKey">The type of the keys.</typeparam>
    /// <typeparam name="TValue">The type of the values.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="name">The name of the instance. See <c>AddSingleflight</c>.</param>
    /// <param name="load">
    /// Calls the backend, and answers with a dictionary. Keys that are not in it are missing. The services are those of a scope that ends with the call, so that
    /// it may use a <c>DbContext</c>. The token fires when no caller waits any more.
    /// </param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight:name:Batching</c> override them, and follow reloads.</param>
    /// <returns>A builder for what is to be added to the instance: limits of a key's flight, telemetry, Redis, and so on.</returns>
    /// <exception cref="ArgumentException">The name is not allowed, or another loader or an instance with keys of another type has it.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddBatchLoader&lt;long, Author&gt;(
    ///     "authors",
    ///     async (services, ids, batch) => await services.GetRequiredService&lt;BlogContext&gt;().Authors.AsNoTracking()
    ///         .Where(author => ids.Contains(author.Id))
    ///         .ToDictionaryAsync(author => author.Id, batch),
    ///     options => options.MaxBatchSize = 500);
    ///
    /// app.MapGet("/author/{id}", ([FromKeyedServices("authors")] BatchLoader&lt;long, Author&gt; authors, long id, CancellationToken cancellationToken) =>
    ///     authors.LoadAsync(id, cancellationToken));
    /// </code>
    /// </example>
    public static ISingleflightBuilder AddBatchLoader<TKey, TValue>(
        this IServiceCollection services,
        string name,
        Func<IServiceProvider, IReadOnlyList<TKey>, CancellationToken, Task<IReadOnlyDictionary<TKey, TValue>>> load,
        Action<BatchLoaderOptions>? configure = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(load);
        return Add(services, name, scope => BatchLoads.Of<TKey, TValue>((keys, cancellationToken) => load(scope, keys, cancellationToken)), configure);
    }

    /// <inheritdoc cref="AddBatchLoader{TKey, TValue}(IServiceCollection, string, Func{IServiceProvider, IReadOnlyList{TKey}, CancellationToken, Task{IReadOnlyDictionary{TKey, TValue}}}, Action{BatchLoaderOptions}?)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The name of the instance. See <c>AddSingleflight</c>.</param>
    /// <param name="load">Calls the backend, and answers key by key, each with a value or an error. The services are those of a scope that ends with the call.</param>
    /// <param name="configure">Sets the application's defaults. Settings in <c>Singleflight:name:Batching</c> override them, and follow reloads.</param>
    public static ISingleflightBuilder AddBatchLoader<TKey, TValue>(
        this IServiceCollection services,
        string name,
        Func<IServiceProvider, IReadOnlyList<TKey>, BatchAnswer<TKey, TValue>, CancellationToken, Task> load,
        Action<BatchLoaderOptions>? configure = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(load);
        return Add(services, name, scope => BatchLoads.Of<TKey, TValue>((keys, answer, cancellationToken) => load(scope, keys, answer, cancellationToken)), configure);
    }

    private static SingleflightBuilder Add<TKey, TValue>(
        IServiceCollection services,
        string name,
        Func<IServiceProvider, BatchLoad<TKey, TValue>> load,
        Action<BatchLoaderOptions>? configure)
        where TKey : notnull
    {
        var builder = SingleflightBuilder.Of(services.AddSingleflight<TKey>(name));
        if (builder.Registration.Settings.ContainsKey("Batching")) throw new ArgumentException($"The name '{name}' is that of another batch loader.", nameof(name));
        builder.BindSettings<BatchLoaderOptions>("Batching", static (section, options) => section.Bind(options), static options => options.Validate());
        builder.Registration.Settings["Batching"].Remove(nameof(BatchLoaderOptions.Name)); // it applies only to loaders that are created by hand
        services.AddOptions<BatchLoaderOptions>(name).ValidateOnStart();
        if (configure is not null) services.Configure(name, configure);
        services.AddKeyedSingleton(name, (provider, _) => Create(provider, builder.Registration, load));
        return builder;
    }

    private static BatchLoader<TKey, TValue> Create<TKey, TValue>(IServiceProvider services, Registration registration, Func<IServiceProvider, BatchLoad<TKey, TValue>> load)
        where TKey : notnull
    {
        var singleflight = services.GetRequiredKeyedService<ISingleflight<TKey>>(registration.Name);
        var scopes = services.GetRequiredService<IServiceScopeFactory>();
        var logger = new SafeLogger(services.GetService<ILoggerFactory>()?.CreateLogger(typeof(SingleflightInstance).Namespace!) ?? NullLogger.Instance);
        var options = new Reloading<BatchLoaderOptions>(services, registration, logger);
        var metrics = services.GetRequiredService<SingleflightMetrics>().Batches;
        var loader = new BatchLoader<TKey, TValue>(LoadInScopeAsync, options.Current, singleflight, registration.Name, metrics) { Following = options };
        options.Apply(loader.Change);
        return loader;

        async Task LoadInScopeAsync(IReadOnlyList<TKey> keys, BatchAnswer<TKey, TValue> answer, CancellationToken cancellationToken)
        {
            var scope = scopes.CreateAsyncScope();
            await using (scope.ConfigureAwait(false))
            {
                var call = load(scope.ServiceProvider)(keys, answer, cancellationToken) ?? throw new InvalidOperationException("The load returned null. It must return a task.");
                await call.ConfigureAwait(false);
            }
        }
    }
}
