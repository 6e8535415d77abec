namespace RequestCoalescing.Contract;

/// <summary>One run of a <see cref="Backend{T}"/>.</summary>
public sealed class BackendRun<T>(CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The token that the work got.</summary>
    public CancellationToken Token { get; } = cancellationToken;

    /// <summary>The view of its flight that the work got, if it asked for one.</summary>
    public FlightContext Flight { get; init; }

    /// <summary>The run's end.</summary>
    public Task<T> Completion => _completion.Task;

    /// <summary>Ends the run with a value.</summary>
    public void Succeed(T value) => _completion.SetResult(value);

    /// <summary>Ends the run with an error.</summary>
    public void Fail(Exception exception) => _completion.SetException(exception);

    /// <summary>Completes when the token has fired.</summary>
    public async Task CancelledAsync()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = Token.Register(fired.SetResult);
        await fired.Task.WaitAsync(Patience.Limit);
    }

    internal async ValueTask<T> EndsWithToken()
    {
        await using var registration = Token.Register(() => _completion.TrySetCanceled(Token));
        return await Completion;
    }
}
