using System.Globalization;
using StackExchange.Redis;

namespace RequestCoalescing.Redis.Protocol;

/// <summary>One command that extends leases in one slot.</summary>
internal sealed class Extension(Lease[] leases, RedisSingleflightOptions options)
{
    private readonly RedisKey[] _keys = [.. leases.SelectMany(lease => new[] { lease.Names.Lease, lease.Names.Last })];
    private readonly RedisValue[] _values = [(long)options.LeaseDuration.TotalMilliseconds, .. leases.Select(lease => (RedisValue)lease.Owner)];

    private long _sentAt;

    /// <summary>A key in the slot.</summary>
    public RedisKey Key => _keys[0];

    /// <summary>Sends it over the connection. It does not fail.</summary>
    /// <returns>Whether an answer arrived.</returns>
    public async Task<bool> SendAsync(IDatabase database)
    {
        try
        {
            var sentAt = Ask();
            Hear((string?)await database.ScriptEvaluateAsync(Scripts.Extend, _keys, _values, Commands.Flags).ConfigureAwait(false), sentAt);
            return true;
        }
        catch (Exception)
        {
            return false; // not extended: the heartbeat tries a line, and the next beat tries again
        }
    }

    /// <summary>Sends it over a line.</summary>
    /// <exception cref="Exception">It cannot be sent.</exception>
    public void Send(Line line)
    {
        _sentAt = Ask();
        line.Send(["EVAL", Scripts.Extend, _keys.Length, .. _keys.Select(key => (RedisValue)(byte[])key!), .. _values]);
    }

    /// <summary>Waits for the answer to what was sent over a line.</summary>
    /// <exception cref="Exception">There is no answer in time.</exception>
    public void Hear(Line line) => Hear(line.Hear(), _sentAt);

    private long Ask()
    {
        foreach (var lease in leases) lease.Ask();
        return options.TimeProvider.GetTimestamp(); // not before the end of their epochs
    }

    private void Hear(string? answer, long sentAt)
    {
        var heardAt = options.TimeProvider.GetTimestamp();
        if (answer?.Split('|') is not [var time, var holds] || holds.Length != leases.Length) return;
        var granted = new Grant(sentAt, heardAt, long.Parse(time, CultureInfo.InvariantCulture));
        for (var i = 0; i < leases.Length; i++)
        {
            if (holds[i] == '1') leases[i].Renew(granted);
            else leases[i].Refuse(sentAt);
        }
    }
}
