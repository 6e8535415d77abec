using System.Numerics;
using System.Runtime.CompilerServices;
using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>The engine: coalesces the calls of one process.</summary>
/// <typeparam name="TKey">
/// What names the result wanted. Must not change while in use as a key; its equality must be quick and must not block, as it is
/// evaluated under the engine's gates.
/// </typeparam>
/// <remarks>
/// <para>All members are safe to call from any number of threads at once. An idle instance holds no timer and no thread, and one
/// that is never disposed can be collected.</para>
/// <para>Unsealed for <see cref="Singleflight"/>, which fixes the key to a string; nothing else is meant to be overridden.</para>
/// </remarks>
public class Singleflight<TKey> : SingleflightBase<TKey>, IAsyncDisposable, IEngine
    where TKey : notnull
{
    private readonly IEqualityComparer<TKey> _comparer;
    private readonly Settings _settings;
    private readonly Shard<TKey>?[] _shards; // each made when its first key comes
    private readonly int _shift;
    private readonly EngineReport? _report;

    /// <summary>Creates an engine.</summary>
    /// <param name="options">Limits and choices; null for the defaults. Copied: later changes to the object have no effect.</param>
    /// <param name="comparer">Says which keys are equal; null for <see cref="EqualityComparer{T}.Default"/>.</param>
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

        // Enough gates that two threads on different keys seldom meet at one.
        var bits = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 16))) + 5;
        _shift = 32 - bits;
        _shards = new Shard<TKey>?[1 << bits];
    }

    /// <summary>What it is called in the meter and on the live page: <see cref="SingleflightOptions.Name"/>, or one from the type of its keys.</summary>
    public string Name => _settings.Name;

    internal TimeSpan MaxDuration => _settings.MaxDuration;

    Settings IEngine.Settings => _settings;

    IEnumerable<Shard> IEngine.Shards => Shards;

    private IEnumerable<Shard<TKey>> Shards => _shards.Where(shard => shard is not null)!;

    /// <inheritdoc/>
    public override void Clear()
    {
        foreach (var shard in Shards) shard.Clear();
    }

    /// <inheritdoc/>
    public override SingleflightStats GetStats()
    {
        var census = new Census();
        foreach (var shard in Shards) shard.AddTo(ref census);
        return census.ToStats() with { UncheckedWaits = _settings.UncheckedWaits };
    }

    /// <summary>
    /// Refuses later calls with a <see cref="FlightRejectedException"/> and waits until the flights in the air have landed. Until then the
    /// work of flights that were in the air when the drain began may still call, whichever instance it belongs to.
    /// </summary>
    /// <param name="cancellationToken">The deadline: when it fires, the flights in the air are cancelled, and not waited for.</param>
    /// <returns>
    /// Completes when nothing is in the air, or at the deadline. At the latest after twice <see cref="SingleflightOptions.MaxDuration"/>: when
    /// that has passed once, work may not start flights any more.
    /// </returns>
    /// <exception cref="FlightDeadlockException">Called from work that runs in a flight of this instance: it would wait for itself.</exception>
    public async Task DrainAsync(CancellationToken cancellationToken = default)
    {
        Lineage.ThrowIfInFlightOf(this);
        if (!await Drain.RunAsync([this], cancellationToken).ConfigureAwait(false)) _ = CloseAsync();
    }

    /// <summary>
    /// Cancels what is in the air, waits until it has landed, and refuses later calls with <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <returns>Completes when nothing is in the air: at the latest after <see cref="SingleflightOptions.MaxDuration"/>.</returns>
    /// <exception cref="FlightDeadlockException">Called from work that runs in a flight of this instance: it would wait for itself.</exception>
    public async ValueTask DisposeAsync()
    {
        Lineage.ThrowIfInFlightOf(this);
        GC.SuppressFinalize(this);
        await CloseAsync().ConfigureAwait(false);
    }

    /// <summary>As <see cref="SingleflightBase{TKey}.ExecuteCoreAsync"/>, without its dispatch: generic virtual methods are dear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // every call between generic methods costs a look-up
    internal ValueTask<TResult> JoinOrLead<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        var hash = Shard<TKey>.Mix(_comparer.GetHashCode(key));
        return ShardOf(hash).Execute(key, hash, state, work, cancellationToken);
    }

    /// <summary>As <see cref="JoinOrLead"/>, for a call that neither joins nor is joined.</summary>
    internal ValueTask<TResult> ExecuteAloneAsync<TState, TResult>(
        TKey key,
        TState state,
        Func<TState, FlightContext, ValueTask<TResult>> work,
        bool verifies,
        CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        var hash = Shard<TKey>.Mix(_comparer.GetHashCode(key));
        return ShardOf(hash).ExecuteAlone(key, hash, state, work, verifies, cancellationToken);
    }

    /// <summary>Takes over limits and durations, for what is in the air too.</summary>
    internal void Change(SingleflightOptions options)
    {
        var takesSeats = _settings.Change(options);
        foreach (var shard in Shards) shard.OnSettingsChanged(takesSeats);
    }

    /// <summary>Cancels what is in the air and refuses later calls.</summary>
    /// <returns>Completes when nothing is in the air.</returns>
    internal Task CloseAsync()
    {
        if (_report is not null) UnregisteredInstance.Remove(_report);
        _settings.Close();
        return Task.WhenAll(Shards.Select(shard => shard.Close()).ToArray());
    }

    /// <summary>The oldest of the flights in the air.</summary>
    internal List<SingleflightFlight> ListFlights(int max, Func<object, string> redact) => List(max, redact, static (shard, flights, max) => shard.List(flights, max));

    /// <summary>The oldest runs of abandoned work.</summary>
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
        var hash = Shard<TKey>.Mix(_comparer.GetHashCode(key));
        return ShardOf(hash).Forget(key, hash);
    }

    private static string NameIn(SingleflightOptions options) => options.Name ?? $"Singleflight<{TypeName.Of(typeof(TKey))}>";

    private Shard<TKey> ShardOf(uint hash) => Volatile.Read(ref _shards[(int)(hash >> _shift)]) ?? MakeShard((int)(hash >> _shift));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Shard<TKey> MakeShard(int index)
    {
        var made = new Shard<TKey>(_settings, _comparer);
        return Interlocked.CompareExchange(ref _shards[index], made, null) ?? made;
    }
}
