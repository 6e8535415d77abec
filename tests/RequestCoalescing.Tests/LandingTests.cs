namespace RequestCoalescing.Tests;

/// <summary>A flight lands for a crowd of callers with tokens. The threads of the pool share the crowd, and run the callers' continuations.</summary>
public sealed class LandingTests : IAsyncDisposable
{
    private const string Key = "hot";
    private const int Callers = 500;

    private readonly Singleflight _singleflight = new();
    private readonly Backend<int> _backend = new();
    private readonly CancellationTokenSource _token = new();

    [Fact]
    public async Task No_caller_waits_for_the_continuation_of_another_one()
    {
        const int Blocked = 3; // neighbours
        using var othersAreDone = new CountdownEvent(Callers - Blocked);
        var calls = Enumerable.Range(0, Callers).Select(CallAsync).ToArray();
        (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(calls).SoonAsync();

        async Task CallAsync(int caller)
        {
            await Call();
            if (caller is < Callers / 2 or >= (Callers / 2) + Blocked) othersAreDone.Signal();
            else Assert.True(othersAreDone.Wait(Patience.Limit), "The others wait for this caller.");
        }
    }

    [Fact]
    public async Task A_continuation_leaves_nothing_behind_on_its_thread()
    {
        using var done = new CountdownEvent(Callers);
        var ambient = new AsyncLocal<object>();
        var found = 0;
        for (var i = 0; i < Callers; i++)
        {
            var awaiter = Call().GetAwaiter();
            awaiter.UnsafeOnCompleted(() =>
            {
                if (ambient.Value is not null || SynchronizationContext.Current is not null) Interlocked.Increment(ref found);
                ambient.Value = this;
                SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
                Assert.Equal(1, awaiter.GetResult());
                done.Signal();
            });
        }

        (await _backend.NextRunAsync()).Succeed(1);
        Assert.True(done.Wait(Patience.Limit));
        Assert.Equal(0, found);
    }

    [Fact]
    public async Task Callers_resume_in_their_synchronization_context_and_one_that_fails_harms_no_other()
    {
        var contexts = Enumerable.Range(0, Callers).Select(static i => new PostingContext(fails: i % 3 == 0)).ToArray();
        var calls = contexts.Select(CallUnder).ToArray();
        (await _backend.NextRunAsync()).Succeed(1);
        await Task.WhenAll(calls.Where(static (_, i) => i % 3 != 0)).SoonAsync();
        await Patience.UntilAsync(() => contexts.All(static context => context.Posts == 1), "each context got one continuation");
        Assert.DoesNotContain(calls.Where(static (_, i) => i % 3 == 0), static call => call.IsCompleted);

        Task CallUnder(PostingContext context)
        {
            var before = SynchronizationContext.Current;
            SynchronizationContext.SetSynchronizationContext(context);
            try
            {
                return CallAsync(context);
            }
            finally
            {
                SynchronizationContext.SetSynchronizationContext(before);
            }
        }

        async Task CallAsync(PostingContext context)
        {
            await Call();
            Assert.Same(context, SynchronizationContext.Current);
        }
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(1, 3)]
    [InlineData(1, Callers)]
    [InlineData(Callers / 2, Callers)]
    public async Task A_context_that_resumes_its_caller_at_once_and_blocks_holds_up_no_other_caller(int blocking, int callers)
    {
        var others = new Task<int>[callers - 1];
        var areDone = new TaskCompletionSource<bool>();
        for (var i = 0; i < blocking; i++) others[i] = Call().AsTask();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            Call().GetAwaiter().OnCompleted(() => areDone.SetResult(Task.WaitAll(others, Patience.Limit)));
        });
        for (var i = blocking; i < others.Length; i++) others[i] = Call().AsTask();
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.True(await areDone.Task, "Others wait for the caller that blocks.");
    }

    [Fact]
    public async Task A_context_of_a_caller_without_a_token_that_blocks_holds_up_no_caller_with_one()
    {
        var others = new List<Task<int>> { Call().AsTask() };
        var areDone = new TaskCompletionSource<bool>();
        Crowd.Run(1, _ =>
        {
            SynchronizationContext.SetSynchronizationContext(new InlineContext());
            _singleflight.ExecuteAsync(Key, _backend.RunAsync).GetAwaiter().OnCompleted(() => areDone.SetResult(Task.WaitAll([.. others], Patience.Limit)));
        });
        for (var i = 0; i < 10; i++) others.Add(Call().AsTask());
        (await _backend.NextRunAsync()).Succeed(1);
        Assert.True(await areDone.Task, "Others wait for the caller that blocks.");
    }

    public async ValueTask DisposeAsync()
    {
        await _singleflight.DisposeAsync();
        _token.Dispose();
    }

    private ValueTask<int> Call() => _singleflight.ExecuteAsync(Key, _backend.RunAsync, _token.Token);

    private sealed class PostingContext(bool fails) : SynchronizationContext
    {
        private int _posts;

        public int Posts => Volatile.Read(ref _posts);

        public override void Post(SendOrPostCallback d, object? state)
        {
            Interlocked.Increment(ref _posts);
            if (fails) throw new InvalidOperationException("This context has ended.");
            ThreadPool.UnsafeQueueUserWorkItem(
                static post =>
                {
                    SetSynchronizationContext(post.Context);
                    post.Callback(post.State);
                },
                (Context: this, Callback: d, State: state),
                preferLocal: false);
        }
    }
}
