namespace RequestCoalescing.Telemetry;

/// <summary>
/// The state that the meter's instruments report. A look at the instances walks over all their flights, and an exporter asks one instrument
/// after the other. Therefore one look serves every instrument once.
/// </summary>
/// <param name="look">Reads the state of all instances.</param>
internal sealed class MeterReading(Func<IReadOnlyList<InstanceReading>> look)
{
    private static readonly TimeSpan s_maxAge = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly HashSet<string> _served = [];
    private IReadOnlyList<InstanceReading> _latest = [];
    private long _takenAt;
    private int _takenOf = -1;
    private int _changes;

    /// <summary>Returns the latest look if it is at most a second old and this instrument has not had it yet. Otherwise takes a new one.</summary>
    public IReadOnlyList<InstanceReading> For(string instrument)
    {
        lock (_gate)
        {
            var changes = Volatile.Read(ref _changes);
            if (_takenOf != changes || !_served.Add(instrument) || TimeProvider.System.GetElapsedTime(_takenAt) > s_maxAge)
            {
                _latest = look();
                _takenAt = TimeProvider.System.GetTimestamp();
                _takenOf = changes;
                _served.Clear();
                _served.Add(instrument);
            }

            return _latest;
        }
    }

    /// <summary>Makes the next reader take a new look, because instances have come or gone. Does not wait for a look in progress.</summary>
    public void Expire() => Interlocked.Increment(ref _changes);
}
