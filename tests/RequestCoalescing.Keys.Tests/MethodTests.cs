namespace RequestCoalescing.Keys.Tests;

/// <summary>Methods whose bodies are generated, as callers see them.</summary>
public sealed class MethodTests
{
    [Fact]
    public async Task Callers_with_equal_parameters_share_one_run()
    {
        var service = new PostService();
        var callers = Enumerable.Range(0, 10).Select(_ => service.GetPostAsync("a", 10, default)).ToArray();
        (await service.Backend.NextRunAsync()).Succeed("post");
        Assert.All(await Task.WhenAll(callers).SoonAsync(), post => Assert.Equal("post", post));
        Assert.Equal(["a 10"], service.Asked);
    }

    [Fact]
    public async Task Callers_that_differ_in_one_parameter_share_nothing()
    {
        var service = new PostService();
        Task<string>[] callers = [service.GetPostAsync("a", 10, default), service.GetPostAsync("a", 11, default), service.GetPostAsync("", 10, default), service.GetPostAsync(null, 10, default)];
        foreach (var result in new[] { "1", "2", "3", "4" }) (await service.Backend.NextRunAsync()).Succeed(result);
        Assert.Equal(["1", "2", "3", "4"], await Task.WhenAll(callers).SoonAsync());
    }

    [Fact]
    public async Task Objects_share_nothing_because_the_work_can_read_their_state()
    {
        var (one, other) = (new PostService(), new PostService());
        var callers = new[] { one.GetPostAsync("a", 10, default), other.GetPostAsync("a", 10, default) };
        (await one.Backend.NextRunAsync()).Succeed("1");
        (await other.Backend.NextRunAsync()).Succeed("2");
        Assert.Equal(["1", "2"], await Task.WhenAll(callers).SoonAsync());
    }

    [Fact]
    public async Task A_caller_leaves_with_its_own_token_and_the_work_has_that_of_the_flight()
    {
        var service = new PostService();
        using var leaving = new CancellationTokenSource();
        var first = service.GetPostAsync("a", 10, leaving.Token);
        var second = service.GetPostAsync("a", 10, default);
        var run = await service.Backend.NextRunAsync();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.SoonAsync());
        Assert.False(run.Token.IsCancellationRequested);
        run.Succeed("post");
        Assert.Equal("post", await second.SoonAsync());
    }

    [Fact]
    public async Task A_parameter_that_is_not_in_the_key_is_that_of_the_first_caller()
    {
        var service = new PostService();
        var callers = new[] { service.GetTitleAsync(default, Color.Red, "first").AsTask(), service.GetTitleAsync(default, Color.Red, "second").AsTask(), service.GetTitleAsync(default).AsTask() };
        (await service.Backend.NextRunAsync()).Succeed("red");
        (await service.Backend.NextRunAsync()).Succeed("none");
        Assert.Equal(["red", "red", "none"], await Task.WhenAll(callers).SoonAsync());
        Assert.Equal(["Red first True", " nobody True"], service.Asked);
    }

    [Fact]
    public async Task Work_without_a_result_and_without_a_token_is_shared_too()
    {
        var service = new PostService();
        Task[] callers =
        [
            service.WarmAsync("x", 1), service.WarmAsync("x", 1), service.CheckAsync(new PostKey("a", 1)).AsTask(), service.CheckAsync(new PostKey("a", 1)).AsTask(), service.Everything(), service.Everything(),
        ];
        for (var run = 0; run < 3; run++) (await service.Backend.NextRunAsync()).Succeed("done");
        await Task.WhenAll(callers).SoonAsync();
        Assert.Equal(["x 1", "PostKey(a,1)", "everything"], service.Asked);
    }

    [Fact]
    public async Task Failed_work_without_a_result_fails_for_its_callers()
    {
        var service = new PostService();
        var callers = new[] { service.WarmAsync("x", 1), service.WarmAsync("x", 1) };
        (await service.Backend.NextRunAsync()).Fail(new InvalidOperationException("broken"));
        foreach (var caller in callers) Assert.Equal("broken", (await Assert.ThrowsAsync<InvalidOperationException>(() => caller.SoonAsync())).Message);
    }

    [Fact]
    public async Task After_a_forget_the_next_caller_starts_anew()
    {
        var service = new PostService();
        var before = service.GetPostAsync("a", 10, default);
        var old = await service.Backend.NextRunAsync();
        Assert.False(service.Forget("a", 11));
        Assert.True(service.Forget("a", 10));
        var after = service.GetPostAsync("a", 10, default);
        (await service.Backend.NextRunAsync()).Succeed("new");
        old.Succeed("old");
        Assert.Equal(["old", "new"], await Task.WhenAll(before, after).SoonAsync());
    }

    [Fact]
    public async Task A_static_method_and_a_method_of_a_generic_class_are_coalesced()
    {
        Assert.Equal(42, await PostService.DoubleAsync(21, default).SoonAsync());

        var backend = new Backend<string>();
        var repository = new TextRepository(backend);
        var id = Guid.NewGuid();
        var callers = new[] { repository.FindAsync(id, default).AsTask(), repository.FindAsync(id, default).AsTask() };
        (await backend.NextRunAsync()).Succeed("found");
        Assert.Equal(["found", "found"], await Task.WhenAll(callers).SoonAsync());
        Assert.Equal(1, backend.Runs);
    }

    [Fact]
    public async Task Objects_that_share_an_engine_share_the_runs_and_its_keys_can_be_named()
    {
        var backend = new Backend<string>();
        var (posts, texts) = (new Singleflight<PostKey>(), new Singleflight());
        var (one, other) = (new SharedService(posts, texts, backend), new SharedService(posts, texts, backend));
        var before = new[] { one.GetPostAsync(10, "a", default), other.GetPostAsync(10, "a", default) };
        var old = await backend.NextRunAsync();
        Assert.True(posts.Forget(new PostKey("a", 10)));
        var after = other.GetPostAsync(10, "a", default);
        (await backend.NextRunAsync()).Succeed("new");
        old.Succeed("old");
        Assert.Equal(["old", "old"], await Task.WhenAll(before).SoonAsync());
        Assert.Equal("new", await after.SoonAsync());
    }

    [Fact]
    public async Task Methods_that_share_an_engine_for_texts_have_different_keys()
    {
        var backend = new Backend<string>();
        var texts = new FakeSingleflight();
        var service = new SharedService(new Singleflight<PostKey>(), texts, backend);
        var callers = new[] { service.GetTextAsync("a,b", default), service.GetOtherTextAsync("a,b", default) };
        (await backend.NextRunAsync()).Succeed("text");
        (await backend.NextRunAsync()).Succeed("other");
        Assert.Equal(["text", "other"], await Task.WhenAll(callers).SoonAsync());
        Assert.Equal(
            [@"RequestCoalescing.Keys.Tests.SharedService.GetTextAsync(a\,b)", @"RequestCoalescing.Keys.Tests.SharedService.GetOtherTextAsync(a\,b)"],
            texts.Calls.Select(call => call.Key));
    }
}
