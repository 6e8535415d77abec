namespace ViralPost.Load;

/// <summary>One strategy under one load, while it goes on and when it is over.</summary>
internal sealed class Run(Scenario scenario, string strategy, int requests)
{
    private readonly double[] _milliseconds = new double[requests];
    private int _done;
    private int _failures;

    public Scenario Scenario { get; } = scenario;

    public string Strategy { get; } = strategy;

    public int Requests { get; } = requests;

    public int Done => Volatile.Read(ref _done);

    public TimeSpan Elapsed { get; set; }

    public Task<Run> Result { get; set; } = Task.FromException<Run>(new InvalidOperationException("The run has not started."));

    public void Record(int request, TimeSpan latency, bool isAnswered)
    {
        _milliseconds[request] = latency.TotalMilliseconds;
        if (!isAnswered) Interlocked.Increment(ref _failures);
        Interlocked.Increment(ref _done);
    }

    public RunResult ToResult(long backendQueries)
    {
        Array.Sort(_milliseconds);
        return new RunResult(
            Scenario.Name,
            Strategy,
            Requests,
            backendQueries,
            Math.Round(Percentile(0.50), 1),
            Math.Round(Percentile(0.99), 1),
            Math.Round(_milliseconds[^1], 1),
            _failures)
        {
            RequestsPerSecond = Requests / Elapsed.TotalSeconds,
        };
    }

    private double Percentile(double part) => _milliseconds[(int)Math.Ceiling(part * _milliseconds.Length) - 1];
}
