using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace RequestCoalescing.Testing.Tests.Snippets;

/// <summary>The examples of the package's XML documentation.</summary>
public sealed class ExampleSnippets
{
    [Fact]
    public async Task A_fake_holds_a_flight_until_two_callers_share_it()
    {
        var database = new PostDatabase();
        var cache = new Dictionary<long, string>();

        // <snippet fake>
        var fake = new FakeSingleflight();
        var posts = new PostService(fake, database, cache);
        using var hold = fake.Hold("post:1");
        var first = posts.GetAsync(1);
        var second = posts.GetAsync(1);
        await fake.WaitForCallersAsync("post:1", 2);
        hold.Release();
        Assert.Same(await first, await second);
        Assert.Equal(1, database.Queries);
        // </snippet>
    }

    [Fact]
    public async Task A_host_gets_the_fake_in_place_of_its_instance()
    {
        // <snippet fake-services>
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddSingleflight();                     // the application's own registration
        var fake = builder.Services.AddFakeSingleflight();      // the test replaces it
        using var host = builder.Build();
        Assert.Same(fake, host.Services.GetRequiredService<ISingleflight>());
        // </snippet>
        await fake.DisposeAsync();
    }

    [Fact]
    public async Task A_backend_ends_its_runs_when_the_test_says_so()
    {
        await using var singleflight = new Singleflight();

        // <snippet backend>
        var backend = new Backend<int>();
        var call = singleflight.ExecuteAsync("post:1", backend.RunAsync).AsTask();
        var run = await backend.NextRunAsync();
        run.Succeed(7);
        Assert.Equal(7, await call);
        Assert.Equal(1, backend.Runs);
        // </snippet>
    }
}
