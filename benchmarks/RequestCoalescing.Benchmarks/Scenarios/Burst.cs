using RequestCoalescing.Benchmarks.Peers;

namespace RequestCoalescing.Benchmarks.Scenarios;

/// <summary>One flight and its followers. The callers' token sources live on from burst to burst, like pooled ones of a server.</summary>
public sealed class Burst(int followers)
{
    private readonly ValueTask<string>[] _joined = new ValueTask<string>[followers];
    private readonly CancellationToken[] _tokens = new CancellationToken[followers];
    private readonly CancellationTokenSource[] _sources = [.. Enumerable.Range(0, followers).Select(_ => new CancellationTokenSource())];
    private readonly ManualResetEventSlim _hasBegun = new();
    private readonly ManualResetEventSlim _allResumed = new();
    private TaskCompletionSource<string> _work = new();
    private ValueTask<string> _leader;
    private Peer _peer = null!; // of the burst that has begun
    private string _key = Peer.Key;
    private int _bursts;
    private int _resumed;

    public void Begin(Peer peer, bool withTokens)
    {
        _peer = peer;
        _key = $"{Peer.Key}:{_bursts++}"; // a new key for each burst, because one peer caches
        _hasBegun.Reset();
        _work = new TaskCompletionSource<string>(_hasBegun, TaskCreationOptions.RunContinuationsAsynchronously);
        for (var i = 0; i < followers; i++) _tokens[i] = withTokens ? _sources[i].Token : default;
        _leader = peer.CallAsync(_key, _work.Task, default);
        peer.WaitForBegin(_work.Task);
    }

    public void Join()
    {
        for (var i = 0; i < followers; i++) _joined[i] = _peer.CallAsync(_key, _work.Task, _tokens[i]);
    }

    public void End()
    {
        _work.SetResult(Peer.Value);
        _leader.AsTask().GetAwaiter().GetResult();
        foreach (var joined in _joined) joined.AsTask().GetAwaiter().GetResult();
    }

    public void JoinAwaiting()
    {
        _resumed = 0;
        _allResumed.Reset();
        for (var i = 0; i < followers; i++) _ = AwaitAsync(_tokens[i]);
    }

    public void Land()
    {
        _work.SetResult(Peer.Value);
        _allResumed.Wait();
        _leader.AsTask().GetAwaiter().GetResult();
    }

    private async Task AwaitAsync(CancellationToken token)
    {
        await _peer.CallAsync(_key, _work.Task, token).ConfigureAwait(false);
        if (Interlocked.Increment(ref _resumed) == followers) _allResumed.Set();
    }
}
