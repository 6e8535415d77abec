namespace Patterns.Backends;

/// <summary>
/// Many callers that ask at the same time. A backend that answers after <see cref="HaveAsked"/> is slow enough for all of them, on any machine, so that
/// the counts do not depend on luck.
/// </summary>
internal sealed class Crowd(int size)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30); // a pattern that is broken must not hang

    private readonly TaskCompletionSource _haveAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _asked;

    public int Asked => Volatile.Read(ref _asked);

    /// <summary>Completes when every caller waits for its answer.</summary>
    public Task HaveAsked => _haveAsked.Task;

    public Task<T[]> AskAsync<T>(Func<ValueTask<T>> ask) => Task.WhenAll(Enumerable.Range(0, size).Select(_ => Task.Run(async () =>
    {
        var answer = ask().AsTask();
        if (Interlocked.Increment(ref _asked) == size) _haveAsked.SetResult();
        return await answer.WaitAsync(s_patience);
    })));
}
