namespace ViralPost.Data;

/// <summary>Passes the queries of one strategy to the database, and counts them.</summary>
internal sealed class QueryMeter(PostDatabase database, TimeProvider? timeProvider = null)
{
    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;
    private readonly Lock _gate = new();
    private QueryCounts _counts;
    private long _busySince;

    /// <summary>The counts since the start or the last reset.</summary>
    public QueryCounts Counts
    {
        get
        {
            lock (_gate) return _counts;
        }
    }

    /// <summary>Resets the counts. Call it while no query is in flight.</summary>
    public void Reset()
    {
        lock (_gate) _counts = default;
    }

    public async Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        Begin();
        try
        {
            return await database.GetPostAsync(id, cancellationToken);
        }
        finally
        {
            End();
        }
    }

    private void Begin()
    {
        lock (_gate)
        {
            if (_counts.InFlight == 0) _busySince = _time.GetTimestamp();
            var inFlight = _counts.InFlight + 1;
            _counts = _counts with
            {
                Queries = _counts.Queries + 1,
                InFlight = inFlight,
                MostInFlight = Math.Max(_counts.MostInFlight, inFlight),
            };
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _counts = _counts with { InFlight = _counts.InFlight - 1 };
            if (_counts.InFlight == 0) _counts = _counts with { Busy = _counts.Busy + _time.GetElapsedTime(_busySince) };
        }
    }
}
