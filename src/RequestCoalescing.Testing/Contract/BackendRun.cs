namespace RequestCoalescing.Testing;

/// <summary>One run of a <see cref="Backend{T}"/>.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <remarks>All members are safe to call from any number of threads at once.</remarks>
public sealed class BackendRun<T>
{
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal BackendRun(CancellationToken cancellationToken) => Token = cancellationToken;

    /// <summary>The token that the flight gave to its work.</summary>
    public CancellationToken Token { get; }

    /// <summary>The run's view of its flight. The default, which stands for no flight, unless <see cref="Backend{T}.RunInFlightAsync"/> started the run.</summary>
    public FlightContext Flight { get; internal init; }

    /// <summary>The outcome of the run. It completes when the test ends the run.</summary>
    public Task<T> Completion => _completion.Task;

    /// <summary>Ends the run with a value.</summary>
    /// <param name="value">The result.</param>
    /// <exception cref="InvalidOperationException">The run has ended already.</exception>
    public void Succeed(T value) => _completion.SetResult(value);

    /// <summary>Ends the run with an error.</summary>
    /// <param name="exception">The error.</param>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The run has ended already.</exception>
    public void Fail(Exception exception) => _completion.SetException(exception);

    /// <summary>Waits until <see cref="Token"/> has fired.</summary>
    /// <returns>Completes when the token has fired.</returns>
    /// <exception cref="TimeoutException">The token did not fire within <see cref="Patience.Limit"/>.</exception>
    public async Task CancelledAsync()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var registration = Token.Register(fired.SetResult);
        await using (registration.ConfigureAwait(false)) await fired.Task.SoonAsync().ConfigureAwait(false);
    }

    internal async ValueTask<T> EndWithTokenAsync()
    {
        var registration = Token.Register(() => _completion.TrySetCanceled(Token));
        await using (registration.ConfigureAwait(false)) return await Completion.ConfigureAwait(false);
    }
}
