namespace RequestCoalescing.Tests.Batching;

/// <summary>One call of a <see cref="BatchBackend"/>. It ends when the test ends it, whatever its token says.</summary>
internal sealed class BatchCall(IReadOnlyList<int> keys, BatchAnswer<int, string> answer, CancellationToken token)
{
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<int> Keys => keys;

    public BatchAnswer<int, string> Answer => answer;

    public CancellationToken Token => token;

    public Task Ended => _end.Task;

    /// <summary>Ends the call. The keys without an answer are missing.</summary>
    public void End() => _end.SetResult();

    /// <summary>Ends the call if the test has not done so.</summary>
    public void TryEnd() => _end.TrySetResult();

    /// <summary>Answers all keys, and ends the call.</summary>
    public void Succeed()
    {
        foreach (var key in keys) answer.Set(key, $"value {key}");
        End();
    }

    public void Fail(Exception error) => _end.SetException(error);

    public async Task CancelledAsync()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (token.Register(fired.SetResult)) await fired.Task.SoonAsync();
    }
}
