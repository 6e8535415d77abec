namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-cpu>
public readonly record struct ReportKey(long UserId, int Year, int Month);

public sealed class ReportService
{
    private readonly Singleflight<ReportKey> _flights = new(new SingleflightOptions
    {
        Name = "reports",
        StartOnThreadPool = true,                // the caller gets its task at once
        MaxDuration = TimeSpan.FromMinutes(2),   // over the longest run
        MaxInFlight = Environment.ProcessorCount,
    });

    public ValueTask<Report> GetAsync(ReportKey key, IReadOnlyList<int> amounts, CancellationToken cancellationToken) =>
        _flights.ExecuteAsync(key, flight => Compute(amounts, flight), cancellationToken);

    private static Report Compute(IReadOnlyList<int> amounts, CancellationToken flight)
    {
        long total = 0;
        foreach (var amount in amounts)
        {
            flight.ThrowIfCancellationRequested(); // all callers have left, or MaxDuration is over
            total += amount;
        }

        return new Report(total);
    }
}
// </snippet>

public sealed record Report(long Total);

public sealed class ReportRecipe
{
    [Fact]
    public async Task A_report_is_computed_once_off_the_callers_thread_and_stops_when_all_have_left()
    {
        var service = new ReportService();
        using var amounts = new HeldAmounts();
        using var impatient = new CancellationTokenSource();
        var first = service.GetAsync(new ReportKey(1, 2026, 5), amounts, impatient.Token).AsTask(); // returns although the computation has not ended
        var second = service.GetAsync(new ReportKey(1, 2026, 5), amounts, impatient.Token).AsTask();
        await amounts.Started.Task.SoonAsync();
        await impatient.CancelAsync();
        await first.LeavesWithAsync(impatient.Token);
        await second.LeavesWithAsync(impatient.Token);
        amounts.Hold.Set();
        await amounts.Ended.Task.SoonAsync();
        Assert.Equal((1, 1), (amounts.Enumerations, amounts.Read));

        Assert.Equal(6, (await service.GetAsync(new ReportKey(1, 2026, 6), [1, 2, 3], default)).Total);
    }

    /// <summary>Amounts whose first one is given out only when the test says so.</summary>
    private sealed class HeldAmounts : List<int>, IReadOnlyList<int>, IEnumerable<int>, IDisposable
    {
        public ManualResetEventSlim Hold { get; } = new();

        public TaskCompletionSource Started { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Enumerations { get; private set; }

        public int Read { get; private set; }

        IEnumerator<int> IEnumerable<int>.GetEnumerator()
        {
            Enumerations++;
            try
            {
                Started.SetResult();
                Hold.Wait(Patience.Limit);
                while (Read < 1_000)
                {
                    Read++;
                    yield return 1;
                }
            }
            finally
            {
                Ended.SetResult();
            }
        }

        public void Dispose() => Hold.Dispose();
    }
}
