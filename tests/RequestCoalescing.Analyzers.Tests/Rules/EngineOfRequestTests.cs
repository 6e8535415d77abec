using Microsoft.CodeAnalysis;
using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.EngineOfRequest.EngineOfRequestAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC010 finds engines that nothing can share, and no others.</summary>
public sealed class EngineOfRequestTests
{
    [Theory]
    [InlineData("return await [|new Singleflight()|].ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("return await ((ISingleflight)[|new Singleflight()|]).ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("return await [|new Singleflight<string>()|].ExecuteAsync(id, flight => 5, ct);")]
    [InlineData("var posts = [|new Singleflight()|]; return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = [|new Singleflight()|]; return await posts.ExecuteAsync(id, LoadAsync, ct).ConfigureAwait(false);")]
    [InlineData("var posts = [|new Singleflight()|]; return await posts.ExecuteAsync(id, flight => 5, ct);")]
    [InlineData("var posts = [|new Singleflight()|]; return posts.ExecuteAsync(id, LoadAsync, ct).AsTask().Result;")]
    [InlineData("await using var posts = [|new Singleflight()|]; return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("await using (var posts = [|new Singleflight()|]) { return await posts.ExecuteAsync(id, LoadAsync, ct); }")]
    [InlineData("Singleflight<string> posts = [|new()|]; posts.Forget(id); await posts.ExecuteAsync(id, LoadAsync, ct); return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("ISingleflight posts = [|new Singleflight(new SingleflightOptions { MaxInFlight = 5 })|]; for (var i = 0; i < 3; i++) await posts.ExecuteAsync(id, LoadAsync, ct); return 1;")]
    public Task An_engine_that_a_method_uses_for_its_own_calls_is_found(string body) => Rule.FindsAsync(Service(body));

    [Theory]
    [InlineData("var posts = new Singleflight(); return (await Task.WhenAll(posts.ExecuteAsync(id, LoadAsync, ct).AsTask(), posts.ExecuteAsync(id, LoadAsync, ct).AsTask())).Sum();")]
    [InlineData("var posts = new Singleflight(); var loads = new[] { id, id }.Select(async each => await posts.ExecuteAsync(each, LoadAsync, ct)); return (await Task.WhenAll(loads)).Sum();")]
    [InlineData("var posts = new Singleflight(); await Parallel.ForEachAsync([id], ct, async (each, token) => await posts.ExecuteAsync(each, LoadAsync, token)); return 1;")]
    [InlineData("var posts = new Singleflight(); var first = posts.ExecuteAsync(id, LoadAsync, ct); return await posts.ExecuteAsync(id, LoadAsync, ct) + await first;")]
    [InlineData("var posts = new Singleflight(); _kept = posts; return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = _kept ??= new Singleflight(); return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = new Singleflight(); Keep(posts); return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = new Singleflight(); ISingleflight other = posts; return await other.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = new Singleflight(); return await posts.ExecuteAsync(id, async flight => await posts.ExecuteAsync(id + 1, LoadAsync, flight), ct);")]
    [InlineData("var posts = new Singleflight(); Keep(posts); return 1;")]
    [InlineData("_kept = new Singleflight(); return await _kept.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("return await _kept!.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("var posts = new Dictionary<string, int>(); return posts[id];")]
    [InlineData("var posts = new Singleflight(); async Task<int> OneAsync() => await posts.ExecuteAsync(id, LoadAsync, ct); return (await Task.WhenAll(OneAsync(), OneAsync())).Sum();")]
    public Task An_engine_that_other_calls_can_reach_is_right(string body) => Rule.NoneAsync(Service(body));

    [Fact]
    public Task An_engine_that_is_kept_or_handed_out_is_right() => Rule.NoneAsync(
        """
        public class Factory
        {
            private static readonly Singleflight s_shared = new();
            private readonly Singleflight<long> _own = new();
            private ISingleflight? _late;

            public Factory() => _late = new Singleflight();

            public static ISingleflight Create() => new Singleflight();

            public ISingleflight CreateNamed(string name)
            {
                var created = new Singleflight(new SingleflightOptions { Name = name });
                return created;
            }

            public virtual ISingleflight Fresh => new Singleflight();

            public ISingleflight Late => _late ??= new Singleflight();

            private ISingleflight Kept { get; } = new Singleflight();
        }
        """);

    [Fact]
    public Task A_private_property_that_makes_an_engine_each_time_is_found() => Rule.FindsAsync(
        """
        public class Posts
        {
            private ISingleflight Flights => [|new Singleflight()|];

            public ValueTask<int> GetAsync(string id) => Flights.ExecuteAsync(id, flight => 5);
        }
        """);

    [Fact]
    public Task A_field_of_a_controller_is_found() => Rule.FindsAsync(
        """
        public class PostsController : ControllerBase
        {
            private static readonly Singleflight s_shared = new();
            private readonly Singleflight _posts = [|new()|];
            private readonly Singleflight _users;
            private readonly ISingleflight _given;

            public PostsController(ISingleflight given)
            {
                _given = given;
                _users = [|new Singleflight()|];
            }
        }

        public class Posts
        {
            private readonly Singleflight _posts = new();
        }
        """);

    [Fact]
    public Task A_handler_in_a_top_level_program_is_found_and_the_program_is_not() => Rule.FindsAsync(
        """
        var app = WebApplication.Create();
        var posts = new Singleflight();
        await posts.ExecuteAsync("warm", flight => 5);
        app.MapGet("/posts/{id}", (string id) => posts.ExecuteAsync(id, flight => 5));
        app.MapGet("/users/{id}", async (string id) => await [|new Singleflight()|].ExecuteAsync(id, flight => 5));
        app.Run();
        """,
        isProgram: true);

    [Fact]
    public Task An_engine_of_main_is_right() => Rule.NoneAsync(
        """
        public static class Program
        {
            public static async Task Main()
            {
                await using var posts = new Singleflight();
                await posts.ExecuteAsync("warm", flight => 5);
            }
        }
        """,
        isProgram: true);

    [Fact]
    public Task A_test_may_have_an_engine_of_its_own() => Rule.NoneAsync(
        """
        namespace Xunit
        {
            public class FactAttribute : Attribute;
        }

        public class Tests
        {
            [Xunit.Fact]
            public async Task A_call_returns()
            {
                var posts = new Singleflight();
                await posts.ExecuteAsync("id", flight => 5);
            }
        }
        """);

    [Theory]
    [InlineData("services.[|AddScoped<Singleflight>|]();")]
    [InlineData("services.[|AddTransient<ISingleflight, Singleflight>|]();")]
    [InlineData("services.[|AddScoped<ISingleflight<long>, Singleflight<long>>|]();")]
    [InlineData("services.[|AddScoped|](typeof(ISingleflight<>), typeof(Singleflight<>));")]
    [InlineData("services.[|AddTransient|](typeof(Singleflight));")]
    [InlineData("services.[|AddScoped<ISingleflight>|](_ => new Singleflight());")]
    [InlineData("services.[|AddScoped<ISingleflight>|](_ => { return new Singleflight(new SingleflightOptions()); });")]
    [InlineData("services.[|AddKeyedTransient<ISingleflight, Singleflight>|](\"posts\");")]
    [InlineData("services.[|TryAddScoped<ISingleflight, Singleflight>|]();")]
    [InlineData("services.Add(ServiceDescriptor.[|Scoped<ISingleflight, Singleflight>|]());")]
    [InlineData("services.[|AddScoped<ISingleflight>|](_ => { Func<int> five = () => 5; return new Singleflight(new SingleflightOptions { MaxInFlight = five() }); });")]
    public Task A_registration_for_each_scope_or_consumer_is_found(string registration) => Rule.FindsAsync(Startup(registration));

    [Theory]
    [InlineData("services.AddSingleton<ISingleflight, Singleflight>();")]
    [InlineData("services.AddSingleton<ISingleflight>(_ => new Singleflight());")]
    [InlineData("services.AddSingleflight();")]
    [InlineData("services.AddScoped<ISingleflight>(provider => provider.GetRequiredService<Singleflight>());")]
    [InlineData("services.AddScoped<ISingleflight>(_ => s_shared);")]
    [InlineData("services.AddScoped<ISingleflight>(provider => { if (provider is IDisposable) return s_shared; return new Singleflight(); });")]
    [InlineData("services.AddScoped<Startup>();")]
    [InlineData("services.AddScoped(_ => new Startup());")]
    [InlineData("services.AddScoped(typeof(Startup));")]
    public Task A_registration_that_keeps_the_engine_is_right(string registration) => Rule.NoneAsync(Startup(registration));

    [Theory]
    [InlineData("services.[|AddScoped<ISingleflight, Singleflight>|]();", "services.AddSingleton<ISingleflight, Singleflight>();")]
    [InlineData("services.[|TryAddTransient<ISingleflight, Singleflight>|]();", "services.TryAddSingleton<ISingleflight, Singleflight>();")]
    [InlineData("services.[|AddScoped|](typeof(ISingleflight<>), typeof(Singleflight<>));", "services.AddSingleton(typeof(ISingleflight<>), typeof(Singleflight<>));")]
    public Task A_registration_becomes_a_singleton(string before, string after) => Rule.FixesAsync<EngineOfRequestFix>(Startup(before), Startup(after));

    [Fact]
    public Task A_local_becomes_a_static_field() => Rule.FixesAsync<EngineOfRequestFix>(
        """
        public class Posts
        {
            private readonly int _limit = 5;

            public async Task<int> GetAsync(string id, CancellationToken ct)
            {
                var flights = [|new Singleflight<(string, int)>(new SingleflightOptions { MaxInFlight = 5 })|];
                return await flights.ExecuteAsync((id, _limit), flight => 5, ct);
            }
        }
        """,
        """
        public class Posts
        {
            private static readonly Singleflight<(string, int)> s_flights = new(new SingleflightOptions { MaxInFlight = 5 });
            private readonly int _limit = 5;

            public async Task<int> GetAsync(string id, CancellationToken ct)
            {
                return await s_flights.ExecuteAsync((id, _limit), flight => 5, ct);
            }
        }
        """);

    [Fact]
    public Task An_engine_in_an_expression_becomes_a_static_field() => Rule.FixesAsync<EngineOfRequestFix>(
        """
        public class Posts
        {
            public async Task<int> GetAsync(string id, CancellationToken ct) => await [|new Singleflight()|].ExecuteAsync(id, flight => 5, ct);
        }
        """,
        """
        public class Posts
        {
            private static readonly Singleflight s_flights = new();

            public async Task<int> GetAsync(string id, CancellationToken ct) => await s_flights.ExecuteAsync(id, flight => 5, ct);
        }
        """);

    [Fact]
    public Task A_field_of_a_controller_becomes_static() => Rule.FixesAsync<EngineOfRequestFix>(
        """
        public class PostsController : ControllerBase
        {
            private readonly Singleflight _posts = [|new()|];
        }
        """,
        """
        public class PostsController : ControllerBase
        {
            private static readonly Singleflight _posts = new();
        }
        """);

    [Fact]
    public Task A_property_gets_its_engine_once() => Rule.FixesAsync<EngineOfRequestFix>(
        """
        public class Posts
        {
            private ISingleflight Flights => [|new Singleflight()|];
        }
        """,
        """
        public class Posts
        {
            private ISingleflight Flights { get; } = new Singleflight();
        }
        """);

    [Theory]
    [InlineData("var posts = [|new Singleflight(new SingleflightOptions { Name = id })|]; return await posts.ExecuteAsync(id, LoadAsync, ct);")]
    [InlineData("await using (var posts = [|new Singleflight()|]) { return await posts.ExecuteAsync(id, LoadAsync, ct); }")]
    public Task No_fix_is_offered_for_an_engine_that_cannot_move(string body) => Rule.FixesAsync<EngineOfRequestFix>(Service(body), Service(body));

    private static string Service(string body) =>
        $$"""
        public class Posts
        {
            private ISingleflight? _kept;

            public async Task<int> GetAsync(string id, CancellationToken ct)
            {
                await Task.Yield();
                {{body}}
            }

            private static Task<int> LoadAsync(CancellationToken flight) => Task.FromResult(1);

            private static void Keep(ISingleflight singleflight) => singleflight.Clear();
        }
        """;

    private static string Startup(string registration) =>
        $$"""
        using Microsoft.Extensions.DependencyInjection.Extensions;

        public class Startup
        {
            private static readonly Singleflight s_shared = new();

            public void Configure(IServiceCollection services)
            {
                {{registration}}
            }
        }
        """;
}
