using System.Threading.Channels;

namespace RequestCoalescing.Contract;

/// <summary>A backend whose every run the test sees start and ends itself.</summary>
public sealed class Backend<T>
{
    private readonly Channel<BackendRun<T>> _started = Channel.CreateUnbounded<BackendRun<T>>();
    private int _runs;

    /// <summary>How often it was asked.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Work that ends when its token fires.</summary>
    public ValueTask<T> RunAsync(CancellationToken cancellationToken) => Begin(new BackendRun<T>(cancellationToken)).EndsWithToken();

    /// <summary>Work that does not heed its token.</summary>
    public ValueTask<T> RunStubbornAsync(CancellationToken cancellationToken) => new(Begin(new BackendRun<T>(cancellationToken)).Completion);

    /// <summary>Work that does not heed its token, and sees its flight.</summary>
    public ValueTask<T> RunInFlightAsync(FlightContext flight) =>
        new(Begin(new BackendRun<T>(flight.CancellationToken) { Flight = flight }).Completion);

    /// <summary>The next run that has started.</summary>
    public async Task<BackendRun<T>> NextRunAsync() => await _started.Reader.ReadAsync().AsTask().WaitAsync(Patience.Limit);

    private BackendRun<T> Begin(BackendRun<T> run)
    {
        Interlocked.Increment(ref _runs);
        Assert.True(_started.Writer.TryWrite(run));
        return run;
    }
}
