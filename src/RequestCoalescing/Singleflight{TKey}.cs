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
public class Singleflight<TKey> : SingleflightBase<TKey>, IAsyncDisposable
    where TKey : notnull
{
    private readonly IEqualityComparer<TKey> _comparer;
    private readonly Settings _settings;
    private readonly Shard<TKey>[] _shards;
    private readonly int _shift;
    private readonly string? _name;
    private readonly EngineReport? _report;

    /// <summary>Creates an engine.</summary>
    /// <param name="options">Limits and choices; null for the defaults. Copied: later changes to the object have no effect.</param>
    /// <param name="comparer">Says which keys are equal; null for <see cref="EqualityComparer{T}.Default"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    /// <exception cref="ArgumentNullException"><see cref="SingleflightOptions.TimeProvider"/> is null.</exception>
    public Singleflight(SingleflightOptions? options = null, IEqualityComparer<TKey>? comparer = null)
        : this(options ??= new SingleflightOptions(), comparer, listener: null)
    {
        _name = options.Name;
        if (options.IsReported) UnregisteredInstance.Add(_report = new EngineReport<TKey>(this, Name));
    }

    internal Singleflight(SingleflightOptions options, IEqualityComparer<TKey>? comparer, FlightListener? listener)
    {
        _settings = new Settings(options, listener);
        _comparer = comparer ?? EqualityComparer<TKey>.Default;

        // Enough gates that two threads on different keys seldom meet at one.
        var bits = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 16))) + 5;
        _shift = 32 - bits;
        _shards = new Shard<TKey>[1 << bits];
        for (var i = 0; i < _shards.Length; i++) _shards[i] = new Shard<TKey>(_settings, _comparer);
    }

    /// <summary>What it is called in the meter and on the live page: <see cref="SingleflightOptions.Name"/>, or one from the type of its keys.</summary>
    public string Name => _name ?? $"Singleflight<{TypeName.Of(typeof(TKey))}>";

    internal TimeSpan MaxDuration => _settings.MaxDuration;

    /// <inheritdoc/>
    public override void Clear()
    {
        foreach (var shard in _shards) shard.Clear();
    }

    /// <inheritdoc/>
    public override SingleflightStats GetStats()
    {
        var census = new Census();
        foreach (var shard in _shards) shard.AddTo(ref census);
        return census.ToStats();
    }

    /// <summary>
    /// Refuses later calls with a <see cref="FlightRejectedException"/> and waits until what is in the air has landed. Work in the
    /// air may still start flights of its own.
    /// </summary>
    /// <param name="cancellationToken">The deadline: when it fires, what is still in the air is cancelled, and not waited for.</param>
    /// <returns>Completes when nothing is in the air, or at the deadline; at the latest after <see cref="SingleflightOptions.MaxDuration"/>.</returns>
    /// <exception cref="FlightDeadlockException">Called from work that runs in a flight of this instance: it would wait for itself.</exception>
    public async Task DrainAsync(CancellationToken cancellationToken = default)
    {
        Lineage.ThrowIfInFlightOf(_shards);
        if (!await DrainUntilAsync(cancellationToken).ConfigureAwait(false)) _ = CloseAsync();
    }

    /// <summary>
    /// Cancels what is in the air, waits until it has landed, and refuses later calls with <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <returns>Completes when nothing is in the air: at the latest after <see cref="SingleflightOptions.MaxDuration"/>.</returns>
    /// <exception cref="FlightDeadlockException">Called from work that runs in a flight of this instance: it would wait for itself.</exception>
    public async ValueTask DisposeAsync()
    {
        Lineage.ThrowIfInFlightOf(_shards);
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
        var hash = _comparer.GetHashCode(key);
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
        var hash = _comparer.GetHashCode(key);
        return ShardOf(hash).ExecuteAlone(key, hash, state, work, verifies, cancellationToken);
    }

    /// <summary>Refuses later calls and waits until what is in the air has landed.</summary>
    /// <returns>Whether all has landed before the deadline.</returns>
    internal async Task<bool> DrainUntilAsync(CancellationToken deadline)
    {
        // What is in the air may let more take off, in shards that were empty; when all seem to be, nothing may any more.
        for (var atAll = false; ;)
        {
            var landed = Array.ConvertAll(_shards, shard => shard.StopAdmitting(atAll));
            var haveAll = Array.TrueForAll(landed, shard => shard.IsCompleted);
            if (haveAll && atAll) return true;
            if (haveAll != atAll)
            {
                atAll = haveAll;
                continue;
            }

            var all = Task.WhenAll(landed);
            await all.WaitAsync(deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!all.IsCompleted) return false;
        }
    }

    /// <summary>Takes over limits and durations, for what is in the air too.</summary>
    internal void Change(SingleflightOptions options)
    {
        var takesSeats = _settings.Change(options);
        foreach (var shard in _shards) shard.OnSettingsChanged(takesSeats);
    }

    /// <summary>Cancels what is in the air and refuses later calls.</summary>
    /// <returns>Completes when nothing is in the air.</returns>
    internal Task CloseAsync()
    {
        if (_report is not null) UnregisteredInstance.Remove(_report);
        return Task.WhenAll(Array.ConvertAll(_shards, shard => shard.Close()));
    }

    /// <summary>The oldest of the flights in the air.</summary>
    internal List<(Flight Flight, TimeSpan Age, int Subscribers)> ListFlights(int max)
    {
        var flights = new List<(Flight Flight, TimeSpan Age, int Subscribers)>();
        foreach (var shard in _shards) shard.List(flights, max);
        flights.Sort(static (a, b) => b.Age.CompareTo(a.Age));
        if (flights.Count > max) flights.RemoveRange(max, flights.Count - max);
        return flights;
    }

    /// <summary>As <see cref="ListFlights(int)"/>, for those who watch.</summary>
    internal List<SingleflightFlight> ListFlights(int max, Func<object, string> redact) => ListFlights(max).ConvertAll(flight => new SingleflightFlight
    {
        Key = redact(flight.Flight.KeyObject),
        Age = flight.Age,
        Subscribers = flight.Subscribers,
        IsCurrent = flight.Flight.IsCurrent,
    });

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
        var hash = _comparer.GetHashCode(key);
        return ShardOf(hash).Forget(key, hash);
    }

    // Fibonacci hashing: the product's high bits depend on all bits of the hash; its table takes the low ones.
    private Shard<TKey> ShardOf(int hash) => _shards[(int)((uint)(hash * -1640531527) >> _shift)];
}
