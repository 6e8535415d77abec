using System.Numerics;
using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>The engine: coalesces the calls of one process.</summary>
/// <typeparam name="TKey">
/// The type of the keys. A key must not change while it is in use. Its equality must be quick, must not block and must not call an engine,
/// because it runs under a lock of the engine. Strings are hashed with secret factors of each process, so that an attacker
/// cannot choose keys that collide. The default hash of numbers has no seed. If callers can choose keys of such a type, pass a comparer that
/// hashes with a seed.
/// </typeparam>
/// <remarks>
/// <para>All members are safe to call from any number of threads at once. An idle instance has no timer and no thread. An instance that is never
/// disposed can be collected.</para>
/// <para>The class is not sealed because <see cref="Singleflight"/> derives from it. Do not derive from it yourself.</para>
/// </remarks>
public class Singleflight<TKey> : SingleflightBase<TKey>, IAsyncDisposable, IEngine
    where TKey : notnull
{
    private readonly IEqualityComparer<TKey> _comparer;
    private readonly bool _comparesText; // the keys are strings, compared ordinally
    private readonly Settings _settings;
    private readonly Shard<TKey>?[] _shards; // each is created for its first key
    private readonly int _shift;
    private readonly EngineReport? _report;
    private long _mostCoalesced;

    /// <summary>Creates an engine.</summary>
    /// <param name="options">The options. Null for the defaults. The object is copied, and later changes to it have no effect.</param>
    /// <param name="comparer">Decides which keys are equal. Null for <see cref="EqualityComparer{T}.Default"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    /// <exception cref="ArgumentNullException"><see cref="SingleflightOptions.TimeProvider"/> is null.</exception>
    public Singleflight(SingleflightOptions? options = null, IEqualityComparer<TKey>? comparer = null)
        : this(options ??= new SingleflightOptions(), comparer, NameIn(options), KeyRedactor.HashByProcess, listener: null)
    {
        if (options.IsReported) UnregisteredInstance.Add(_report = new EngineReport<TKey>(this, Name));
    }

    internal Singleflight(SingleflightOptions options, IEqualityComparer<TKey>? comparer, string name, Func<object, string> describe, FlightListener? listener)
    {
        _settings = new Settings(options, name, describe, listener);
        _comparer = comparer ?? EqualityComparer<TKey>.Default;
        _comparesText = Shard<TKey>.IsOrdinal(_comparer);

        // There are enough gates that two threads with different keys seldom meet at one.
        var bits = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 16))) + 5;
        _shift = 32 - bits;
        _shards = new Shard<TKey>?[1 << bits];
    }

    /// <summary>The name in metrics and on the live page: <see cref="SingleflightOptions.Name"/>, or a name made from the key type.</summary>
    public string Name => _settings.Name;

    internal TimeSpan MaxDuration => _settings.MaxDuration;

    Settings IEngine.Settings => _settings;

    IEnumerable<Shard> IEngine.Shards => Shards;

    private IEnumerable<Shard<TKey>> Shards
    {
        get
        {
            Shard.ThrowIfComparing(); // a comparison holds the gate of one shard, and must not enter another
            return _shards.Where(shard => shard is not null)!;
        }
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        foreach (var shard in Shards) shard.Clear();
    }

    /// <inheritdoc/>
    public override SingleflightStats GetStats()
    {
        var stats = new StatsBuilder();
        foreach (var shard in Shards) shard.AddTo(ref stats);

        // A flight with sharers may land while the look goes from part to part, and be missed by it. A total never decreases all the same.
        var coalesced = stats.Coalesced;
        for (var most = Volatile.Read(ref _mostCoalesced); coalesced > most;)
        {
            var found = Interlocked.CompareExchange(ref _mostCoalesced, coalesced, most);
            if (found == most) break;
            most = found;
        }

        stats.Totals.Coalesced += Math.Max(0, Volatile.Read(ref _mostCoalesced) - coalesced);
        return stats.ToStats() with { UncheckedWaits = _settings.UncheckedWaits };
    }

    /// <summary>
    /// Refuses later calls with a <see cref="FlightRejectedException"/> and waits until the running flights have landed. Until then, the work of
    /// flights that were running when the drain began may still call this instance. That includes the work of other instances.
    /// </summary>
    /// <param name="cancellationToken">The deadline. When it fires, the running flights are cancelled, and the drain does not wait for them.</param>
    /// <returns>
    /// A task that completes when nothing is in flight, or at the deadline. It completes at the latest after twice
    /// <see cref="SingleflightOptions.MaxDuration"/>, because after <see cref="SingleflightOptions.MaxDuration"/> work can start no more flights.
    /// A stream that flows may last longer.
    /// </returns>
    /// <exception cref="FlightDeadlockException">The work of a flight of this instance makes this call, and would wait for itself.</exception>
    public async Task DrainAsync(CancellationToken cancellationToken = default)
    {
        Shard.ThrowIfComparing();
        FlightScope.ThrowIfInFlightOf(this);
        if (!await Drain.RunAsync([this], cancellationToken).ConfigureAwait(false)) _ = CloseAsync();
    }

    /// <summary>
    /// Cancels the running flights, waits until they have landed, and refuses later calls with <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <returns>A task that completes when nothing is in flight, at the latest after <see cref="SingleflightOptions.MaxDuration"/>.</returns>
    /// <exception cref="FlightDeadlockException">The work of a flight of this instance makes this call, and would wait for itself.</exception>
    public async ValueTask DisposeAsync()
    {
        Shard.ThrowIfComparing();
        FlightScope.ThrowIfInFlightOf(this);
        GC.SuppressFinalize(this);
        await CloseAsync().ConfigureAwait(false);
    }

    /// <summary>Does the same as <see cref="SingleflightBase{TKey}.ExecuteCoreAsync"/> without virtual dispatch, which is expensive for a generic method.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // each call between generic methods costs a look-up
    internal ValueTask<TResult> JoinOrLead<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        var hash = HashOf(key);
        return ShardOf(hash).Execute(key, hash, state, work, cancellationToken);
    }

    /// <summary>Does the same, and measures the caller's wait.</summary>
    internal ValueTask<TResult> JoinOrLead<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CallerWait wait,
        CancellationToken cancellationToken)
    {
        var hash = HashOf(key);
        return ShardOf(hash).Execute(key, hash, state, work, wait, cancellationToken);
    }

    /// <summary>Joins a caller without a token to the current flight of the key, if that needs no gate.</summary>
    /// <returns>The wait that the caller shares with others. Null if the caller must take another way.</returns>
    internal SharedWait<TResult>? TryEnter<TResult>(TKey key)
    {
        var hash = HashOf(key);
        return ShardOf(hash).TryEnter<TResult>(key, hash);
    }

    /// <summary>Finds the current flight of the key without the gate. It may be over by now.</summary>
    internal Flight<TKey, TResult>? Find<TResult>(TKey key)
    {
        Shard.ThrowIfComparing();
        var hash = HashOf(key);
        return ShardOf(hash).Peek(key, hash) as Flight<TKey, TResult>;
    }

    /// <summary>Joins a caller without a token, whose wait is measured, to the current flight of the key, if that needs no gate.</summary>
    /// <returns>The task that the caller shares with others. Null if the caller must take another way.</returns>
    internal Task<TResult>? TryShare<TResult>(TKey key, CallerWaits waits)
    {
        var hash = HashOf(key);
        return ShardOf(hash).TryShare<TResult>(key, hash, waits);
    }

    /// <summary>Runs a call alone. It joins no flight, and no other call joins it.</summary>
    internal ValueTask<TResult> ExecuteAloneAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        bool verifies,
        CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        var hash = HashOf(key);
        return ShardOf(hash).ExecuteAlone(key, hash, state, work, verifies, cancellationToken);
    }

    /// <summary>Applies new limits and durations. They hold for running flights too.</summary>
    internal void Change(SingleflightOptions options)
    {
        var takesSlots = _settings.Change(options);
        foreach (var shard in Shards) shard.OnSettingsChanged(takesSlots);
    }

    /// <summary>Cancels the running flights and refuses later calls.</summary>
    /// <returns>A task that completes when nothing is in flight.</returns>
    internal Task CloseAsync()
    {
        if (_report is not null) UnregisteredInstance.Remove(_report);
        _settings.Close();
        return Task.WhenAll(Shards.Select(shard => shard.Close()).ToArray());
    }

    /// <summary>Returns the oldest running flights.</summary>
    internal List<SingleflightFlight> ListFlights(int max, Func<object, string> redact) => List(max, redact, static (shard, flights, max) => shard.List(flights, max));

    /// <summary>Returns the oldest abandoned runs.</summary>
    internal List<SingleflightFlight> ListAbandoned(int max, Func<object, string> redact) => List(max, redact, static (shard, flights, _) => shard.ListAbandoned(flights));

    internal SingleflightSettings GetSettings() => _settings.ToPublic();

    private List<SingleflightFlight> List(int max, Func<object, string> redact, Action<Shard<TKey>, List<(object Key, TimeSpan Age, int Subscribers, bool IsCurrent)>, int> list)
    {
        var flights = new List<(object Key, TimeSpan Age, int Subscribers, bool IsCurrent)>();
        foreach (var shard in Shards) list(shard, flights, max);
        flights.Sort(static (a, b) => b.Age.CompareTo(a.Age));
        if (flights.Count > max) flights.RemoveRange(max, flights.Count - max);
        return flights.ConvertAll(flight => new SingleflightFlight
        {
            Key = redact(flight.Key),
            Age = flight.Age,
            Subscribers = flight.Subscribers,
            IsCurrent = flight.IsCurrent,
        });
    }

    /// <inheritdoc/>
    protected sealed override ValueTask<TResult> ExecuteCoreAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken) =>
        JoinOrLead(key, state, work, cancellationToken);

    /// <inheritdoc/>
    protected sealed override bool ForgetCore(TKey key)
    {
        var hash = HashOf(key);
        return ShardOf(hash).Forget(key, hash);
    }

    private static string NameIn(SingleflightOptions options) => options.Name ?? $"Singleflight<{TypeName.Of(typeof(TKey))}>";

    private uint HashOf(TKey key) => _comparesText ? StringHash.Of(Unsafe.As<TKey, string>(ref key)) : HashMix.Of(_comparer.GetHashCode(key));

    private Shard<TKey> ShardOf(uint hash) => Volatile.Read(ref _shards[(int)(hash >> _shift)]) ?? CreateShard((int)(hash >> _shift));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Shard<TKey> CreateShard(int index)
    {
        var created = new Shard<TKey>(_settings, _comparer);
        return Interlocked.CompareExchange(ref _shards[index], created, null) ?? created;
    }
}
