namespace RequestCoalescing.Telemetry;

/// <summary>
/// What the meter's instruments read from: one look at all instances serves each instrument once. A look walks over all that is in the air,
/// and an exporter asks one instrument after the other.
/// </summary>
/// <param name="look">Looks at the instances.</param>
internal sealed class MeterReading(Func<IReadOnlyList<InstanceReading>> look)
{
    private static readonly TimeSpan s_maxAge = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly HashSet<string> _served = [];
    private IReadOnlyList<InstanceReading> _latest = [];
    private long _takenAt;
    private int _takenOf = -1;
    private int _changes;

    /// <summary>The latest look, if the instrument has not been given it before and it is at most a second old; else a new one.</summary>
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

    /// <summary>Instances have come or gone: the next to ask has a new look taken. Waits for none that is being taken.</summary>
    public void Expire() => Interlocked.Increment(ref _changes);
}
