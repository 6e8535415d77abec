using System.Threading.Channels;

namespace RequestCoalescing.Testing;

/// <summary>
/// A source of streams whose runs a test controls. Pass <see cref="Run"/> to <c>ExecuteStreamAsync</c>, get each run with <see cref="NextRunAsync"/>, and give it
/// items with <see cref="StreamRun{T}.Yield"/>.
/// </summary>
/// <typeparam name="T">The type of the items.</typeparam>
/// <remarks>All members are safe to call from any number of threads at once.</remarks>
/// <example>
/// <code>
/// var backend = new StreamBackend&lt;int>();
/// var reader = singleflight.ExecuteStreamAsync("answer:1", backend.Run).ToListAsync();
/// var run = await backend.NextRunAsync();
/// run.Yield(1);
/// run.End();
/// Assert.Equal([1], await reader);
/// Assert.Equal(1, backend.Runs);
/// </code>
/// </example>
public sealed class StreamBackend<T>
{
    private readonly Channel<StreamRun<T>> _started = Channel.CreateUnbounded<StreamRun<T>>();
    private int _runs;

    /// <summary>How many runs have started.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Starts a run that is cancelled when its token fires.</summary>
    /// <param name="cancellationToken">The token that the flight gives to its source.</param>
    /// <returns>The items that the test yields.</returns>
    public IAsyncEnumerable<T> Run(CancellationToken cancellationToken) => Begin(isStubborn: false, cancellationToken).ReadAsync();

    /// <summary>Starts a run that ignores its token.</summary>
    /// <param name="cancellationToken">The token that the flight gives to its source.</param>
    /// <returns>The items that the test yields.</returns>
    public IAsyncEnumerable<T> RunStubborn(CancellationToken cancellationToken) => Begin(isStubborn: true, cancellationToken).ReadAsync();

    /// <summary>Waits for the next run to start. Each run is returned once, in the order in which the runs started.</summary>
    /// <returns>The run.</returns>
    /// <exception cref="TimeoutException">No run started within <see cref="Patience.Limit"/>.</exception>
    public async Task<StreamRun<T>> NextRunAsync() => await _started.Reader.ReadAsync().AsTask().SoonAsync().ConfigureAwait(false);

    private StreamRun<T> Begin(bool isStubborn, CancellationToken cancellationToken)
    {
        var run = new StreamRun<T>(isStubborn, cancellationToken);
        Interlocked.Increment(ref _runs);
        _started.Writer.TryWrite(run); // an unbounded channel takes everything
        return run;
    }
}
