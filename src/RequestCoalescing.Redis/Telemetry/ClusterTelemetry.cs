using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing.Redis.Telemetry;

/// <summary>Counts the events between nodes in the library's meter, tagged with the instance's name, and logs the rare ones.</summary>
internal sealed partial class ClusterTelemetry : IDisposable
{
    private readonly Meter _meter;
    private readonly bool _ownsMeter;
    private readonly ILogger _logger;
    private readonly string _instance;
    private readonly KeyValuePair<string, object?> _name;
    private readonly Counter<long> _acquires;
    private readonly Counter<long> _takeovers;
    private readonly Counter<long> _lostLeases;
    private readonly Counter<long> _outageFlights;
    private readonly Counter<long> _remoteFollowers;
    private readonly Counter<long> _roundTrips;
    private readonly Histogram<double> _wakeUp;
    private readonly ConcurrentDictionary<Type, bool> _unwritten = new();
    private int _isOut;
    private int _isLineFailed;

    public ClusterTelemetry(string instance, ILogger logger, IMeterFactory? factory)
    {
        (_instance, _logger) = (instance, new SafeLogger(logger));
        _name = new("singleflight.name", instance);
        _ownsMeter = factory is null;
        _meter = factory?.Create(SingleflightTelemetry.MeterName) ?? new Meter(SingleflightTelemetry.MeterName);
        _acquires = _meter.CreateCounter<long>("singleflight.redis.acquires", "{lease}", "Leases granted to this node, which then leads for the cluster.");
        _takeovers = _meter.CreateCounter<long>("singleflight.redis.takeovers", "{lease}", "Leases granted after waiting for a leader that was lost.");
        _lostLeases = _meter.CreateCounter<long>("singleflight.redis.lost_leases", "{lease}", "Leases that this node lost while it led; nothing was published.");
        _outageFlights = _meter.CreateCounter<long>("singleflight.redis.outage_flights", "{flight}", "Flights whose work ran for this node alone because Redis could not be reached.");
        _remoteFollowers = _meter.CreateCounter<long>("singleflight.redis.remote_followers", "{flight}", "Flights of this node that received their outcome from another node.");
        _roundTrips = _meter.CreateCounter<long>("singleflight.redis.round_trips", "{command}", "Commands sent to Redis for flights, without heartbeats.");
        _wakeUp = _meter.CreateHistogram<double>("singleflight.redis.outcome_read", "s", "Time from the message that a flight has landed until this node had read its outcome.");
    }

    public void Acquired(bool isTakeover)
    {
        Count(_acquires);
        if (isTakeover) Count(_takeovers);
    }

    public void LostLease(TimeSpan late)
    {
        Count(_lostLeases);
        LeaseLost(_logger, _instance, late.TotalMilliseconds);
    }

    public void LineFailed(Exception exception)
    {
        if (Interlocked.Exchange(ref _isLineFailed, 1) == 1) return;
        ThreadPool.UnsafeQueueUserWorkItem(static failure => NoLine(failure._logger, failure.exception, failure._instance), (_logger, exception, _instance), preferLocal: false); // a logger may block, and the heartbeat must not
    }

    public void Followed() => Count(_remoteFollowers);

    public void RoundTrip() => Count(_roundTrips);

    public void HandedOver(TimeSpan elapsed)
    {
        try
        {
            _wakeUp.Record(elapsed.TotalSeconds, _name);
        }
        catch (Exception)
        {
            // A meter listener that fails must not affect flights and callers.
        }
    }

    public void OutageFlight(Exception exception)
    {
        Count(_outageFlights);
        if (Interlocked.Exchange(ref _isOut, 1) == 0) OutageBegan(_logger, exception, _instance);
    }

    public void Reached()
    {
        if (Volatile.Read(ref _isOut) == 1 && Interlocked.Exchange(ref _isOut, 0) == 1) OutageEnded(_logger, _instance);
    }

    public void CannotBeWritten(Type type, Exception exception)
    {
        if (_unwritten.TryAdd(type, true)) NotWritten(_logger, exception, _instance, type);
    }

    public void Dispose()
    {
        if (_ownsMeter) _meter.Dispose();
    }

    private void Count(Counter<long> counter)
    {
        try
        {
            counter.Add(1, _name);
        }
        catch (Exception)
        {
            // As above.
        }
    }

    [LoggerMessage(101, LogLevel.Warning, "{Instance} lost a lease while it led; its heartbeat was {Late:F0} ms late. Only the callers of this node get the outcome")]
    private static partial void LeaseLost(ILogger logger, string instance, double late);

    [LoggerMessage(102, LogLevel.Error, "{Instance} cannot reach Redis; this node coalesces alone until the connection returns")]
    private static partial void OutageBegan(ILogger logger, Exception exception, string instance);

    [LoggerMessage(103, LogLevel.Information, "{Instance} reaches Redis again")]
    private static partial void OutageEnded(ILogger logger, string instance);

    [LoggerMessage(104, LogLevel.Warning, "{Instance} cannot send outcomes of type {Type} to other nodes; each node runs the work itself. Logged once for each type")]
    private static partial void NotWritten(ILogger logger, Exception exception, string instance, Type type);

    [LoggerMessage(105, LogLevel.Warning, "{Instance} had no answer to a heartbeat in time, and the connection for heartbeats alone failed, too. Logged once")]
    private static partial void NoLine(ILogger logger, Exception exception, string instance);
}
