using RequestCoalescing.Batching;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// Turns calls for different keys that come within a short time into one call of the backend. Each key is a flight of an <see cref="ISingleflight{TKey}"/>, so
/// that equal keys share a place in the batch, and a key that an earlier batch asks for already is not asked again. It is not a cache: nothing is kept.
/// </summary>
/// <typeparam name="TKey">The type of the keys. See <see cref="Singleflight{TKey}"/> for what their equality must keep to.</typeparam>
/// <typeparam name="TValue">The type of the values. Callers of one key share a value, so that it should be immutable.</typeparam>
/// <remarks>
/// <para>The backend is called on the thread pool and in the context of no caller. It gets a token of the batch, which fires when no caller waits for any of its
/// keys. <see cref="SingleflightOptions.MaxDuration"/> limits how long callers wait, and not how long the backend runs.</para>
/// <para>All members are safe to call from any number of threads at once. An idle loader has no timer and no thread.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var authors = new BatchLoader&lt;long, Author&gt;(
///     async (ids, batch) => await database.FindAuthorsAsync(ids, batch),    // one query for all ids: SELECT … WHERE id IN (…)
///     new BatchLoaderOptions { MaxBatchSize = 500 });
///
/// Author? author = await authors.LoadAsync(id, cancellationToken);          // null if the query did not return it
/// </code>
/// </example>
public sealed class BatchLoader<TKey, TValue> : IAsyncDisposable, IDisposable
    where TKey : notnull
{
    private static readonly TimeSpan s_longestDisposal = TimeSpan.FromSeconds(30);

    private readonly BatchQueue<TKey, TValue> _queue;
    private readonly Singleflight<TKey>? _engine;

    /// <summary>Creates a loader for a backend that answers with a dictionary. Keys that are not in it are missing.</summary>
    /// <param name="load">Calls the backend. The keys are different, and at most <see cref="BatchLoaderOptions.MaxBatchSize"/>. The token fires when no caller waits any more.</param>
    /// <param name="options">The options. Null for the defaults. The object is copied.</param>
    /// <param name="singleflight">
    /// Coalesces the calls of a key. Its results are of type <see cref="BatchOutcome{TValue}"/>, so that other work must not use it for the same keys. The loader
    /// does not dispose of it. Null for an engine of the loader's own, with the default options.
    /// </param>
    /// <param name="comparer">Decides which keys are equal. It must agree with that of <paramref name="singleflight"/>. Null for the default.</param>
    /// <exception cref="ArgumentNullException"><paramref name="load"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public BatchLoader(
        Func<IReadOnlyList<TKey>, CancellationToken, Task<IReadOnlyDictionary<TKey, TValue>>> load,
        BatchLoaderOptions? options = null,
        ISingleflight<TKey>? singleflight = null,
        IEqualityComparer<TKey>? comparer = null)
        : this(BatchLoads.Of(load), options, singleflight, comparer)
    {
    }

    /// <inheritdoc cref="BatchLoader{TKey, TValue}(Func{IReadOnlyList{TKey}, CancellationToken, Task{IReadOnlyDictionary{TKey, TValue}}}, BatchLoaderOptions?, ISingleflight{TKey}?, IEqualityComparer{TKey}?)"/>
    /// <summary>Creates a loader for a backend that answers key by key, each with a value or an error.</summary>
    public BatchLoader(
        Func<IReadOnlyList<TKey>, BatchAnswer<TKey, TValue>, CancellationToken, Task> load,
        BatchLoaderOptions? options = null,
        ISingleflight<TKey>? singleflight = null,
        IEqualityComparer<TKey>? comparer = null)
        : this(BatchLoads.Of(load), options, singleflight, comparer)
    {
    }

    private BatchLoader(BatchLoad<TKey, TValue> load, BatchLoaderOptions? options, ISingleflight<TKey>? singleflight, IEqualityComparer<TKey>? comparer)
    {
        options = options?.Copy() ?? new BatchLoaderOptions();
        options.Validate();
        Name = options.Name ?? (singleflight as Singleflight<TKey>)?.Name ?? $"BatchLoader<{TypeName.Of(typeof(TKey))}, {TypeName.Of(typeof(TValue))}>";
        Singleflight = singleflight ?? (_engine = new Singleflight<TKey>(new SingleflightOptions { Name = Name, TimeProvider = options.TimeProvider }, comparer));
        _queue = new BatchQueue<TKey, TValue>(load, options, comparer, new BatchTelemetry(Name, UnregisteredInstance.Metrics?.Batches));
    }

    internal BatchLoader(BatchLoad<TKey, TValue> load, BatchLoaderOptions options, ISingleflight<TKey> singleflight, string name, BatchMetrics metrics)
    {
        (Name, Singleflight) = (name, singleflight);
        _queue = new BatchQueue<TKey, TValue>(load, options, comparer: null, new BatchTelemetry(name, metrics));
    }

    /// <summary>The name in metrics and spans.</summary>
    public string Name { get; }

    /// <summary>Coalesces the calls of a key. Call its <see cref="ISingleflight{TKey}.Forget"/> after a write, so that later calls ask the backend again.</summary>
    public ISingleflight<TKey> Singleflight { get; }

    /// <summary>What follows the settings of a registered loader, until the loader is disposed of.</summary>
    internal IDisposable? Following { get; set; }

    /// <summary>Loads a value. Use <see cref="TryLoadAsync"/> if the default of the type can be a value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Lets this caller leave. A key without callers is left out of a batch that has not taken off.</param>
    /// <returns>The value. The default of its type (null for a class) if the backend did not answer this key.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    /// <exception cref="ObjectDisposedException">The loader has been disposed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired. The exception carries it.</exception>
    /// <exception cref="FlightTimeoutException">The key's flight, which begins before its batch, exceeded <see cref="SingleflightOptions.MaxDuration"/>.</exception>
    /// <exception cref="FlightRejectedException">A limit of the loader or of its <see cref="Singleflight"/> was reached, or the host is shutting down.</exception>
    /// <exception cref="FlightDeadlockException">The backend's call makes this call, and would wait for itself.</exception>
    /// <remarks>If the backend fails, callers of all keys of that call get the same exception.</remarks>
    public Task<TValue?> LoadAsync(TKey key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return LoadValueAsync(key, cancellationToken);
    }

    /// <summary>Loads a value, and tells a missing key from a value that is null or a default.</summary>
    /// <inheritdoc cref="LoadAsync"/>
    /// <returns>The value, or nothing.</returns>
    public Task<BatchOutcome<TValue>> TryLoadAsync(TKey key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return AskAsync(key, group: null, cancellationToken);
    }

    /// <summary>Loads several values. Keys that no batch asks for yet enter as few batches as possible, together.</summary>
    /// <param name="keys">The keys. A key may occur several times.</param>
    /// <param name="cancellationToken">Lets this caller leave.</param>
    /// <returns>An outcome for each key, in the order of the keys. An error of one key is in its outcome, and does not affect the others.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="keys"/> or a key is null.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired. The exception carries it.</exception>
    public Task<IReadOnlyList<BatchOutcome<TValue>>> LoadManyAsync(IEnumerable<TKey> keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        TKey[] all = [.. keys];
        foreach (var key in all) ArgumentNullException.ThrowIfNull(key, nameof(keys));
        var calls = new Task<BatchOutcome<TValue>>[all.Length];
        var group = new SlotGroup<TKey, TValue>();
        for (var i = 0; i < all.Length; i++) calls[i] = AskAsync(all[i], group, cancellationToken);
        _queue.Submit(group);
        return CollectAsync(calls, cancellationToken);
    }

    /// <summary>Gets the counts of the batches.</summary>
    public BatchLoaderStats GetStats() => _queue.GetStats();

    /// <summary>
    /// Cancels the batches that run, waits for them, and refuses later calls with <see cref="ObjectDisposedException"/>. It waits for up to 30 seconds if a
    /// backend ignores its token.
    /// </summary>
    /// <exception cref="FlightDeadlockException">The backend's call makes this call, and would wait for itself.</exception>
    public async ValueTask DisposeAsync()
    {
        if (_engine is not null) FlightScope.ThrowIfInFlightOf(_engine);
        var ended = Close();
        if (_engine is not null) await _engine.DisposeAsync().ConfigureAwait(false);
        await ended.WaitAsync(s_longestDisposal, _queue.Clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Cancels the batches that run, and does not wait for them.</summary>
    public void Dispose()
    {
        Close();
        if (_engine is not null) _ = _engine.CloseAsync();
    }

    internal void Change(BatchLoaderOptions options) => _queue.Change(options);

    private static async Task<IReadOnlyList<BatchOutcome<TValue>>> CollectAsync(Task<BatchOutcome<TValue>>[] calls, CancellationToken cancellationToken)
    {
        var outcomes = new BatchOutcome<TValue>[calls.Length];
        for (var i = 0; i < calls.Length; i++)
        {
            try
            {
                outcomes[i] = await calls[i].ConfigureAwait(false);
            }
            catch (Exception error)
            {
                outcomes[i] = new BatchOutcome<TValue> { Error = error };
            }
        }

        if (Array.Find(outcomes, outcome => outcome.Error is OperationCanceledException left && left.CancellationToken == cancellationToken).Error is not null)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        return outcomes;
    }

    private static async ValueTask<BatchOutcome<TValue>> WaitAsync((BatchQueue<TKey, TValue> Queue, TKey Key, SlotGroup<TKey, TValue>? Group) call, FlightContext flight)
    {
        var slot = call.Queue.Add(call.Key, call.Group);
        var leave = flight.CancellationToken.UnsafeRegister(static (state, token) => Leave(state!, token), (call.Queue, slot));
        await using (leave.ConfigureAwait(false)) return await slot.Task.ConfigureAwait(false);
    }

    private static void Leave(object state, CancellationToken token)
    {
        var (queue, slot) = ((BatchQueue<TKey, TValue>, Slot<TKey, TValue>))state;
        queue.Leave(slot, token);
    }

    private async Task<TValue?> LoadValueAsync(TKey key, CancellationToken cancellationToken) =>
        (await Singleflight.ExecuteAsync(key, (_queue, key, Group: default(SlotGroup<TKey, TValue>)), WaitAsync, cancellationToken).ConfigureAwait(false)).Value;

    private async Task<BatchOutcome<TValue>> AskAsync(TKey key, SlotGroup<TKey, TValue>? group, CancellationToken cancellationToken) =>
        await Singleflight.ExecuteAsync(key, (_queue, key, group), WaitAsync, cancellationToken).ConfigureAwait(false);

    private Task Close()
    {
        Following?.Dispose();
        return _queue.CloseAsync();
    }
}
