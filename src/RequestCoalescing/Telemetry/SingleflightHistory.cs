using RequestCoalescing.Telemetry;

namespace RequestCoalescing;

/// <summary>
/// The last ten minutes of instances, a sample each second. It looks at them from <see cref="Start"/> until it is disposed, with one timer.
/// Registered instances measure latencies while they are looked at; engines that are made by hand do not measure any.
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
    /// <param name="instances">Lists the instances. Called each second, as engines that are made by hand come and go.</param>
    /// <param name="clock">The clock. Default <see cref="TimeProvider.System"/>.</param>
    public SingleflightHistory(Func<IEnumerable<SingleflightInstance>> instances, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(instances);
        (_instances, _clock) = (instances, clock ?? TimeProvider.System);
        StartedAt = _clock.GetUtcNow();
    }

    /// <summary>How many samples are kept of each instance: 600.</summary>
    public static int Kept => InstanceTrack.Kept;

    /// <summary>When it was created. Two histories that differ in this have samples of different numbers.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>Takes the first look, and one each second from now on. Does nothing if it has been started or disposed.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_timer is not null || _isDisposed) return;

            // The timer is nobody's call: the async locals of the one that starts it must not live on in it.
            using (ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow())
            {
                _timer = _clock.CreateTimer(static history => ((SingleflightHistory)history!).Sample(), this, s_interval, s_interval);
            }
        }

        Sample();
    }

    /// <summary>The samples of an instance, the oldest first; none if it is not known.</summary>
    /// <param name="name">The name of the instance.</param>
    /// <param name="after">Leaves out samples up to this number.</param>
    public IReadOnlyList<SingleflightSample> GetSamples(string name, long after = 0)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate) return _tracks.TryGetValue(name, out var track) ? track.Since(after) : [];
    }

    /// <summary>How long the flights of an instance took in the last five minutes, and how long its callers waited; null where none were measured.</summary>
    /// <param name="name">The name of the instance.</param>
    public (SingleflightLatency? Flights, SingleflightLatency? Waits) GetLatencies(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_gate) return _tracks.TryGetValue(name, out var track) ? track.Latencies() : default;
    }

    /// <summary>Stops looking. What has been sampled stays.</summary>
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
        if (Interlocked.Exchange(ref _isSampling, true)) return; // the look before takes longer than a second
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
            // A list of instances that fails, at the end of a service provider say: there is nobody here to tell.
        }
        finally
        {
            Volatile.Write(ref _isSampling, false);
        }
    }

    // Decorators are the application's, and may fail.
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
