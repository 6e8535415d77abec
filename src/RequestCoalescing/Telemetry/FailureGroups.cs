namespace RequestCoalescing.Telemetry;

/// <summary>Counts failures by the type of their cause. The twenty most recent types are kept.</summary>
internal sealed class FailureGroups(TimeProvider clock)
{
    private const int Kept = 20;
    private static readonly TimeSpan s_messageEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Group> _groups = [];

    /// <summary>Counts a failure.</summary>
    /// <param name="error">The failure.</param>
    /// <param name="key">The key as logs show it.</param>
    /// <param name="message">Returns the message that may be shown. It is called at most once a second for each type.</param>
    public void Add(Exception? error, string key, Func<Exception, string?> message)
    {
        var cause = error is null ? null : FailureMessage.CauseOf(error);
        var type = cause?.GetType().FullName ?? "";
        var now = clock.GetUtcNow();
        bool isMessageDue;
        lock (_gate) isMessageDue = !_groups.TryGetValue(type, out var known) || now - known.MessageAt >= s_messageEvery;
        var text = isMessageDue && cause is not null ? message(cause) : null; // outside the gate, because the exception may be of the application's own type
        lock (_gate)
        {
            if (!_groups.TryGetValue(type, out var group)) _groups.Add(type, group = new Group());
            if (isMessageDue) (group.Message, group.MessageAt) = (text, now);
            group.Count(key, now);
            if (_groups.Count > Kept) _groups.Remove(_groups.MinBy(entry => entry.Value.LastAt).Key);
        }
    }

    /// <summary>Lists the groups. The group with the latest failure comes first.</summary>
    public List<SingleflightFailureGroup> List()
    {
        var now = clock.GetUtcNow();
        lock (_gate)
        {
            return [.. _groups
                .OrderByDescending(entry => entry.Value.LastAt)
                .Select(entry => new SingleflightFailureGroup(entry.Key, entry.Value.Message, entry.Value.Key, entry.Value.LastAt, entry.Value.Recent(now), entry.Value.Total))];
        }
    }

    private sealed class Group
    {
        private const int Minutes = 10;

        private readonly (long Minute, long Count)[] _minutes = new (long, long)[Minutes];

        public string? Message { get; set; }

        public DateTimeOffset MessageAt { get; set; }

        public string Key { get; private set; } = "";

        public DateTimeOffset LastAt { get; private set; }

        public long Total { get; private set; }

        public void Count(string key, DateTimeOffset now)
        {
            (Key, LastAt) = (key, now);
            Total++;
            var minute = MinuteOf(now);
            ref var slot = ref _minutes[minute % Minutes];
            slot = (minute, slot.Minute == minute ? slot.Count + 1 : 1);
        }

        public long Recent(DateTimeOffset now) => _minutes.Where(slot => slot.Minute > MinuteOf(now) - Minutes).Sum(slot => slot.Count);

        private static long MinuteOf(DateTimeOffset at) => at.UtcTicks / TimeSpan.TicksPerMinute;
    }
}
