using RequestCoalescing.Engine;
using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// The last ten minutes of instances, with one sample a second. One timer takes the samples, from <see cref="Start"/> until the history is
/// disposed. Registered instances measure latencies while a history samples them. Engines that are created by hand measure none.
/// Members are safe to call from any number of threads at once.
/// </summary>
public sealed class SingleflightHistory : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly Func<IEnumerable<SingleflightInstance>> _instances;
    private readonly TimeProvider _clock;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, InstanceTrack> _tracks = [];
    private ITimer? _timer;
    private long _number;
    private bool _isSampling;
    private bool _isDisposed;

    /// <summary>Creates a history. Nothing is sampled before <see cref="Start"/>.</summary>
    /// <param name="instances">Lists the instances. It is called each second, because engines that are created by hand come and go.</param>
    /// <param name="clock">The clock. Default <see cref="TimeProvider.System"/>.</param>
    public SingleflightHistory(Func<IEnumerable<SingleflightInstance>> instances, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(instances);
        (_instances, _clock) = (instances, clock ?? TimeProvider.System);
        StartedAt = _clock.GetUtcNow();
    }

    /// <summary>The number of samples that are kept for each instance: 600.</summary>
    public static int Kept => InstanceTrack.Kept;

    /// <summary>The time at which the history was created. It identifies the history: sample numbers of two histories are not related.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>Takes the first sample now, and then one each second. Does nothing if the history has been started or disposed.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_timer is not null || _isDisposed) return;

            _timer = _clock.CreateDetachedTimer(static history => ((SingleflightHistory)history!).Sample(), this, s_interval, s_interval);
        }

        Sample();
    }

    /// <summary>Returns the samples of an instance, the oldest first. Empty if the instance is not known.</summary>
    /// <param name="name">The name of the instance.</param>
    /// <param name="after">The number of the last sample that is left out. Default 0: none is left out.</param>
    public IReadOnlyList<SingleflightSample> GetSamples(string name, long after = 0)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate) return _tracks.TryGetValue(name, out var track) ? track.Since(after) : [];
    }

    /// <summary>Returns how long the flights of an instance took, and how long its callers waited, in the last five minutes. Null if none were measured.</summary>
    /// <param name="name">The name of the instance.</param>
    public (SingleflightLatency? Flights, SingleflightLatency? Waits) GetLatencies(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate) return _tracks.TryGetValue(name, out var track) ? track.Latencies() : default;
    }

    /// <summary>Stops sampling. The samples stay readable.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _timer?.Dispose();
        }
    }

    private void Sample()
    {
        if (Interlocked.Exchange(ref _isSampling, true)) return; // the sample before has not been finished within a second
        try
        {
            var looks = _instances().Select(static instance => (Instance: instance, Stats: Look(instance))).ToList();
            var now = _clock.GetTimestamp();
            lock (_gate)
            {
                _number++;
                foreach (var (instance, stats) in looks)
                {
                    if (stats is not { } seen) continue;
                    if (!_tracks.TryGetValue(instance.Name, out var track)) _tracks.Add(instance.Name, track = new InstanceTrack(_clock));
                    track.Add(_number, now, seen, instance.Latencies);
                }

                foreach (var gone in _tracks.Keys.Except(looks.Select(look => look.Instance.Name)).ToList()) _tracks.Remove(gone);
            }
        }
        catch (Exception)
        {
            // The list of instances may throw, for example after its service provider has been disposed. There is no caller to report it to.
        }
        finally
        {
            Volatile.Write(ref _isSampling, false);
        }
    }

    // The application's decorators may throw.
    private static SingleflightStats? Look(SingleflightInstance instance)
    {
        try
        {
            return instance.GetStats();
        }
        catch (Exception)
        {
            return null;
        }
    }
}
