using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Keys.Tests;

/// <summary>The generated classes of interfaces with coalesced methods.</summary>
public sealed class InterfaceTests
{
    [Fact]
    public async Task Callers_of_a_marked_method_share_one_run()
    {
        var inner = new Posts();
        IPosts posts = new CoalescedPosts(inner);
        var callers = new[] { posts.GetPostAsync("a", 1), posts.GetPostAsync("a", 1), posts.GetPostAsync("a", 2) };
        (await inner.Backend.NextRunAsync()).Succeed("1");
        (await inner.Backend.NextRunAsync()).Succeed("2");
        Assert.Equal(["1", "1", "2"], await Task.WhenAll(callers).SoonAsync());

        var warm = new[] { posts.WarmAsync(Color.Red, new object()).AsTask(), posts.WarmAsync(Color.Red, null).AsTask() };
        (await inner.Backend.NextRunAsync()).Succeed("warm");
        await Task.WhenAll(warm).SoonAsync();
        Assert.Equal(3, inner.Backend.Runs);
    }

    [Fact]
    public async Task All_other_calls_are_passed_on()
    {
        var inner = new Posts();
        IPosts posts = new CoalescedPosts(inner);
        var changes = 0;
        EventHandler onChanged = (_, _) => changes++;
        posts.Changed += onChanged;
        await posts.SaveAsync("a", "text", default);
        posts.Changed -= onChanged;
        await posts.SaveAsync("b", "text", default);
        Assert.Equal((1, "b text"), (changes, inner.Saved));

        posts.Name = "new";
        Assert.Equal(("new", "new", 3, "k 2"), (inner.Name, posts.Name, posts.Count, posts[2, "k"]));
        Assert.Equal("x", posts.Convert("x", "a", "b"));
        Assert.Equal(5, posts.OrDefault(5));
        var state = 1;
        Assert.True(posts.TryGet(ref state, 2, out var text));
        Assert.Equal((3, "3"), (state, text));
        posts.Reference("any") = 8;
        Assert.Equal(8, inner.Reference("any"));
        Assert.Equal("class", posts.WithBody());
        posts.Dispose();
        Assert.True(inner.IsDisposed);
    }

    [Fact]
    public async Task After_a_forget_the_next_caller_starts_anew()
    {
        var inner = new Posts();
        var posts = new CoalescedPosts(inner);
        var before = ((IPosts)posts).GetPostAsync("a", 1);
        var old = await inner.Backend.NextRunAsync();
        Assert.True(posts.ForgetGetPost("a", 1));
        var after = ((IPosts)posts).GetPostAsync("a", 1);
        (await inner.Backend.NextRunAsync()).Succeed("new");
        old.Succeed("old");
        Assert.Equal(["old", "new"], await Task.WhenAll(before, after).SoonAsync());
    }

    [Fact]
    public async Task The_class_is_registered_around_the_one_that_does_the_work()
    {
        var services = new ServiceCollection();
        services.AddSingleton<Posts>();
        services.AddSingleton<IPosts>(static provider => new CoalescedPosts(provider.GetRequiredService<Posts>(), provider.GetRequiredKeyedService<ISingleflight>("posts")));
        services.AddSingleflight("posts");
        await using var provider = services.BuildServiceProvider();

        var caller = provider.GetRequiredService<IPosts>().GetPostAsync("a", 1);
        var run = await provider.GetRequiredService<Posts>().Backend.NextRunAsync();
        Assert.Equal(1, provider.GetRequiredKeyedService<ISingleflight>("posts").GetStats().Flights);
        run.Succeed("post");
        Assert.Equal("post", await caller.SoonAsync());
    }
}
