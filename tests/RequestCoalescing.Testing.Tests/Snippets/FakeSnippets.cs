using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Testing.Tests.Snippets;

/// <summary>The tests with the fake that <c>docs/testing.md</c> shows.</summary>
public sealed class FakeSnippets
{
    private readonly FakeSingleflight _fake = new();
    private readonly PostDatabase _database = new();
    private readonly Dictionary<long, string> _cache = [];

    private PostService Posts => new(_fake, _database, _cache);

    // <snippet coalesces>
    [Fact]
    public async Task Callers_of_one_post_share_one_query()
    {
        var hold = _fake.Hold("post:1");                // flights of this key start, and their work does not begin yet
        var first = Posts.GetAsync(1);
        var second = Posts.GetAsync(1);
        await _fake.WaitForCallersAsync("post:1", 2);   // signalled, not polled

        hold.Release();

        Assert.Equal("post 1", await first);
        Assert.Equal("post 1", await second);
        Assert.Equal(1, _database.Queries);
        Assert.Equal([FakeCallRole.Leader, FakeCallRole.Follower], _fake.Calls.Select(call => call.Role));
    }
    // </snippet>

    // <snippet fails>
    [Fact]
    public async Task A_timeout_or_a_rejection_is_answered_with_busy()
    {
        _fake.FailNext("post:1", new FlightTimeoutException(TimeSpan.FromSeconds(30)));
        _fake.FailNext("post:1", new FlightRejectedException(FlightRejectionReason.MaxInFlight, limit: 100));

        Assert.Equal("busy", await Posts.GetOrBusyAsync(1));
        Assert.Equal("busy", await Posts.GetOrBusyAsync(1));
        Assert.Equal(0, _database.Queries);
    }
    // </snippet>

    // <snippet forgets>
    [Fact]
    public async Task A_post_that_was_updated_while_it_was_read_is_not_cached()
    {
        var hold = _fake.Hold("post:1");
        var reading = Posts.GetAsync(1);

        await Posts.UpdateAsync(1, "new text");         // forgets the key
        hold.Release();                                 // the work begins, and its flight is not current

        await reading;
        Assert.Empty(_cache);
        Assert.Equal(["post:1"], _fake.Forgets);
    }
    // </snippet>

    // <snippet leader>
    [Fact]
    public async Task A_request_survives_the_request_that_it_has_joined()
    {
        _fake.CancelNextLeader("post:1");               // the next call follows a leader that is aborted together with its work
        Assert.Equal("post 1", await Posts.GetAsync(1));
    }
    // </snippet>

    // <snippet services>
    [Fact]
    public async Task The_application_gets_the_fake()
    {
        var services = new ServiceCollection();
        AddApplication(services);                       // calls services.AddSingleflight(), as in production
        var fake = services.AddFakeSingleflight();      // after that: replaces it

        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<PostService>().GetAsync(1);

        Assert.Equal("post:1", Assert.Single(fake.Calls).Key);
    }
    // </snippet>

    private static void AddApplication(IServiceCollection services)
    {
        services.AddSingleflight();
        services.AddSingleton<IPostDatabase, PostDatabase>();
        services.AddSingleton<IDictionary<long, string>>(new Dictionary<long, string>());
        services.AddSingleton<PostService>();
    }
}
