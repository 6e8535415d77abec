namespace RequestCoalescing.AspNetCore.Tests.Requests.Pages;

/// <summary>Counts the runs of a page, and holds them until the test opens it.</summary>
public sealed class Stage
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _runs;

    public Task Opened => _opened.Task;

    public int Runs => Volatile.Read(ref _runs);

    public int Enter() => Interlocked.Increment(ref _runs);

    public void Open() => _opened.TrySetResult();
}
