using ZiggyCreatures.Caching.Fusion;

namespace RequestCoalescing.Peers.Tests;

/// <summary>Runs the code of docs/comparison.md that shows a problem. <see cref="UsingBothTests"/> runs the recipes.</summary>
public sealed class PageCodeTests
{
    private static readonly Post s_old = new("old"), s_new = new("new");
    private readonly Backend<Post> _backend = new();

    [Fact]
    public async Task Callers_of_FusionCache_call_the_failed_backend_one_after_another()
    {
        Task<Post> LoadAsync(CancellationToken token) => _backend.RunAsync(token).AsTask();
        var cache = NewFusionCache();

        // <snippet comparison-failure>
        var callers = Enumerable.Range(0, 100).Select(_ => cache.GetOrSetAsync<Post>("post:1", (_, token) => LoadAsync(token)));
        // </snippet>

        var answers = callers.Select(caller => caller.AsTask()).ToArray();
        for (var turn = 1; turn <= answers.Length; turn++)
        {
            var run = await _backend.NextRunAsync();
            Assert.Equal(turn, _backend.Runs); // no other call before this one has failed
            run.Fail(new InvalidDataException());
        }

        foreach (var answer in answers) await answer.ThrowsAsync<InvalidDataException>();
        Assert.Equal(100, _backend.Runs);
    }

    [Fact]
    public async Task An_aborted_request_cancels_the_query_of_FusionCache()
    {
        Task<Post> LoadAsync(CancellationToken token) => _backend.RunAsync(token).AsTask();
        var cache = NewFusionCache();
        async Task RequestAsync(CancellationToken requestAborted)
        {
            // <snippet comparison-abort>
            await cache.GetOrSetAsync<Post>("post:1", (_, token) => LoadAsync(token), token: requestAborted);
            // </snippet>
        }

        using var abort = new CancellationTokenSource();
        var first = RequestAsync(abort.Token);
        var query = await _backend.NextRunAsync();
        var second = RequestAsync(default);
        await abort.CancelAsync();

        await first.ThrowsAsync<OperationCanceledException>();
        await query.CancelledAsync();
        (await _backend.NextRunAsync()).Succeed(s_new);
        await second.SoonAsync();
    }

    [Fact]
    public async Task An_aborted_request_cancels_the_other_callers_of_HybridCache_if_the_work_uses_its_token()
    {
        ValueTask<Post> LoadAsync(CancellationToken token) => _backend.RunAsync(token);
        var cache = NewHybridCache();
        async Task RequestAsync(CancellationToken requestAborted)
        {
            // <snippet comparison-captured-token>
            await cache.GetOrCreateAsync("post:1", _ => LoadAsync(requestAborted), cancellationToken: requestAborted);   // must use the parameter
            // </snippet>
        }

        using var abort = new CancellationTokenSource();
        var first = RequestAsync(abort.Token);
        await _backend.NextRunAsync();
        var second = RequestAsync(default);
        await abort.CancelAsync();

        await first.ThrowsAsync<OperationCanceledException>();
        await second.ThrowsAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task A_caller_of_HybridCache_gets_the_post_as_it_was_before_it_was_saved()
    {
        ValueTask<Post> LoadAsync(CancellationToken token) => _backend.RunAsync(token);
        var (cache, database) = (NewHybridCache(), new Database());
        async Task<Post> SaveAsync(Post post)
        {
            // <snippet comparison-invalidation>
            await database.SaveAsync(post);
            await cache.RemoveAsync("post:1");
            var saved = await cache.GetOrCreateAsync("post:1", LoadAsync);   // can be the post as it was before
            // </snippet>
            return saved;
        }

        var before = cache.GetOrCreateAsync("post:1", LoadAsync).AsTask();
        var load = await _backend.NextRunAsync();
        var after = SaveAsync(s_new);
        load.Succeed(s_old);

        Assert.Equal((IEnumerable<Post>)[s_old, s_old], await Task.WhenAll(before, after).SoonAsync());
    }

    [Fact]
    public async Task Work_that_asks_HybridCache_for_its_own_key_waits_until_a_token_fires()
    {
        var cache = NewHybridCache();
        using var escape = new CancellationTokenSource();
        var waiting = new TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task<Post> GetUserAsync(int id, CancellationToken token)
        {
            await Task.Yield();
            var inner = cache.GetOrCreateAsync($"user:{id}", _ => ValueTask.FromResult(s_new), cancellationToken: escape.Token).AsTask();
            waiting.SetResult(inner);
            return await inner.WaitAsync(token);
        }

        async Task RequestAsync()
        {
            // <snippet comparison-reentrancy>
            await cache.GetOrCreateAsync("user:1", async token => await GetUserAsync(1, token));   // and GetUserAsync asks for "user:1"
            // </snippet>
        }

        var outer = RequestAsync();
        var waiter = await waiting.Task.SoonAsync();
        Assert.Equal((false, false), (waiter.IsCompleted, outer.IsCompleted));
        await escape.CancelAsync();
        await outer.ThrowsAsync<OperationCanceledException>();
    }

    private sealed class Database
    {
        private Post? _saved;

        public Task SaveAsync(Post post)
        {
            _saved = post;
            return Task.CompletedTask;
        }
    }
}
