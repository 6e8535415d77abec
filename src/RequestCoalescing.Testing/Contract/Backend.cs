using System.Threading.Channels;

namespace RequestCoalescing.Testing;

/// <summary>
/// A backend whose runs a test controls. Pass one of its <c>Run…</c> methods as the work of a call, get each run with
/// <see cref="NextRunAsync"/>, and end it with <see cref="BackendRun{T}.Succeed"/> or <see cref="BackendRun{T}.Fail"/>.
/// </summary>
/// <typeparam name="T">The type of the results.</typeparam>
/// <remarks>All members are safe to call from any number of threads at once.</remarks>
/// <example>
/// <code>
/// var backend = new Backend&lt;int>();
/// var call = singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask();
/// var run = await backend.NextRunAsync();
/// run.Succeed(7);
/// Assert.Equal(7, await call);
/// Assert.Equal(1, backend.Runs);
/// </code>
/// </example>
public sealed class Backend<T>
{
    private readonly Channel<BackendRun<T>> _started = Channel.CreateUnbounded<BackendRun<T>>();
    private int _runs;

    /// <summary>How many runs have started.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Starts a run that is cancelled when its token fires.</summary>
    /// <param name="cancellationToken">The token that the flight gives to its work.</param>
    /// <returns>Completes when the test ends the run, or the token fires.</returns>
    public ValueTask<T> RunAsync(CancellationToken cancellationToken) => Begin(new BackendRun<T>(cancellationToken)).EndWithTokenAsync();

    /// <summary>Starts a run that ignores its token.</summary>
    /// <param name="cancellationToken">The token that the flight gives to its work.</param>
    /// <returns>Completes when the test ends the run.</returns>
    public ValueTask<T> RunStubbornAsync(CancellationToken cancellationToken) => new(Begin(new BackendRun<T>(cancellationToken)).Completion);

    /// <summary>Starts a run that ignores its token. <see cref="BackendRun{T}.Flight"/> is its view of the flight.</summary>
    /// <param name="flight">The view of the flight that the work gets.</param>
    /// <returns>Completes when the test ends the run.</returns>
    public ValueTask<T> RunInFlightAsync(FlightContext flight) =>
        new(Begin(new BackendRun<T>(flight.CancellationToken) { Flight = flight }).Completion);

    /// <summary>Waits for the next run to start. Each run is returned once, in the order in which the runs started.</summary>
    /// <returns>The run.</returns>
    /// <exception cref="TimeoutException">No run started within <see cref="Patience.Limit"/>.</exception>
    public async Task<BackendRun<T>> NextRunAsync() => await _started.Reader.ReadAsync().AsTask().SoonAsync().ConfigureAwait(false);

    private BackendRun<T> Begin(BackendRun<T> run)
    {
        Interlocked.Increment(ref _runs);
        _started.Writer.TryWrite(run); // an unbounded channel takes everything
        return run;
    }
}
