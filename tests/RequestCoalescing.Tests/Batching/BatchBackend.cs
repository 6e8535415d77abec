using System.Threading.Channels;

namespace RequestCoalescing.Tests.Batching;

/// <summary>A backend for batches whose calls a test controls.</summary>
internal sealed class BatchBackend
{
    private readonly Channel<BatchCall> _calls = Channel.CreateUnbounded<BatchCall>();
    private int _count;

    public int Calls => Volatile.Read(ref _count);

    public Task LoadAsync(IReadOnlyList<int> keys, BatchAnswer<int, string> answer, CancellationToken token)
    {
        var call = new BatchCall(keys, answer, token);
        Interlocked.Increment(ref _count);
        _calls.Writer.TryWrite(call);
        return call.Ended;
    }

    /// <summary>Waits for the next call.</summary>
    public async Task<BatchCall> NextAsync() => await _calls.Reader.ReadAsync().AsTask().SoonAsync();

    /// <summary>Waits for the next call, which must have these keys.</summary>
    public async Task<BatchCall> NextAsync(params int[] keys)
    {
        var call = await NextAsync();
        Assert.Equal(keys, call.Keys);
        return call;
    }
}
