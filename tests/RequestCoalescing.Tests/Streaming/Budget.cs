using RequestCoalescing.Streaming;

namespace RequestCoalescing.Tests.Streaming;

/// <summary>Counts the items that a buffer has taken, up to a limit.</summary>
internal sealed class Budget(long most = long.MaxValue) : IBufferBudget
{
    private TaskCompletionSource _freed = new();

    public long Taken { get; private set; }

    public Task? Take(long items)
    {
        if (Taken + items > most) return _freed.Task;
        Taken += items;
        return null;
    }

    public void GiveBack(long items)
    {
        Taken -= items;
        _freed.SetResult();
        _freed = new TaskCompletionSource();
    }
}
