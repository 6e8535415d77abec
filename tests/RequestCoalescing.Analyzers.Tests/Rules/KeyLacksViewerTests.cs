using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksViewer.KeyLacksViewerAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC003.</summary>
public sealed class KeyLacksViewerTests
{
    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|user|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|user|].Identity!.Name))")]
    [InlineData("_posts.ExecuteAsync(id, async flight => [|User|].IsInRole(\"admin\") ? 1 : 2)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|HttpContext.User|].Identity!.Name))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|context.User|].FindFirst(\"sub\")))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|context|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|context.Items|][\"viewer\"]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|context.Request|].Cookies[\"session\"]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|Request.Headers|].Authorization))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|_accessor.HttpContext!.User|].Identity!.Name))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|_accessor.HttpContext|]?.User.Identity?.Name))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|Thread.CurrentPrincipal|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|ClaimsPrincipal.Current|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|_tenant|].Id))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|currentUser|].Name))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|name|]))")]
    [InlineData("_posts.ExecuteAsync(id, (id, [|user|]), static (state, flight) => LoadAsync(state.id, state.user))")]
    [InlineData("_posts.ExecuteInScopeAsync(id, (services, flight) => LoadAsync(id, [|services.GetRequiredService<ICurrentUser>()|].Name))")]
    [InlineData("_posts.ExecuteAsync(id, MemberAsync)", "[|User|]")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{limit}\", flight => LoadAsync(id, [|user|]))")]
    public Task Work_that_asks_for_the_viewer_is_found(string call, string member = "5") => Rule.FindsAsync(InClass(call, member));

    [Theory]
    [InlineData("_posts.ExecuteAsync($\"{id}:{user.Identity!.Name}\", flight => LoadAsync(id, user))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{user.FindFirst(\"sub\")?.Value}\", flight => LoadAsync(id, user))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{User.IsInRole(\"admin\")}\", flight => LoadAsync(id, User.IsInRole(\"admin\")))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{name}\", flight => LoadAsync(id, name))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{name}\", flight => LoadAsync(id, user))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{userId}\", flight => LoadAsync(id, user))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{_tenant.Id}\", flight => LoadAsync(id, _tenant.Id))")]
    [InlineData("_posts.ExecuteAsync(KeyFor(id), flight => LoadAsync(id, User))")]
    [InlineData("_posts.ExecuteAsync(ViewerKey(id), flight => LoadAsync(id, User))")]
    [InlineData("_byTenant[_tenant.Id].ExecuteAsync(id, flight => LoadAsync(id, _tenant.Id))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, 5))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, context.RequestAborted))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, context.Request.Query[\"page\"]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, context.Request.Headers[\"Accept-Language\"]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, context.RequestServices.GetService(typeof(string))))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, _accessor.HttpContext!.RequestAborted))")]
    [InlineData("_posts.ExecuteAsync(id, flight => { logger.LogInformation(\"{User}\", User.Identity!.Name); return LoadAsync(id, 5); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, nameof(User)))")]
    [InlineData("_posts.ExecuteAsync(id, flight => users.FindAsync(id))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, route))")]
    [InlineData("LoadAsync(id, User)")]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => new ValueTask<string>(User.Identity!.Name!))")]
    public Task Other_work_is_left_alone(string call) => Rule.NoneAsync(InClass(call));

    [Theory]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => new ValueTask<string>([|User|].Identity!.Name!))")]
    [InlineData("memory.GetOrCreate(id, entry => [|_tenant|].Id)")]
    [InlineData("memory.GetOrCreate((id, _tenant.Id), entry => _tenant.Id)")]
    public Task Caches_are_looked_at_when_the_setting_says_so(string call) => Rule.FindsAsync(InClass(call), checkCaches: true);

    [Theory]
    [InlineData("$\"post:{id}\", flight => LoadAsync(id, [|user|])", "$\"post:{id}:{user.FindFirst(ClaimTypes.NameIdentifier)?.Value}\", flight => LoadAsync(id, user)")]
    [InlineData("id, flight => LoadAsync(id, [|context.User|].Identity!.Name)", "$\"{id}:{context.User.FindFirst(ClaimTypes.NameIdentifier)?.Value}\", flight => LoadAsync(id, context.User.Identity!.Name)")]
    [InlineData("id, flight => LoadAsync(id, [|_tenant|].Id)", "$\"{id}:{_tenant.Id}\", flight => LoadAsync(id, _tenant.Id)")]
    [InlineData("id, flight => LoadAsync(id, [|name|])", "$\"{id}:{name}\", flight => LoadAsync(id, name)")]
    public Task The_fix_adds_the_viewer_to_the_key(string before, string after) =>
        Rule.FixesAsync<AddToKeyFix>(InClass($"_posts.ExecuteAsync({before})"), InClass($"_posts.ExecuteAsync({after})"));

    private static string InClass(string call, string member = "5") =>
        $$"""
        interface ITenantContext { int Id { get; } }
        interface ICurrentUser { string Name { get; } }
        interface IUserRepository { Task<int> FindAsync(string id); }

        class C : Microsoft.AspNetCore.Mvc.ControllerBase
        {
            private readonly Singleflight _posts = new();
            private readonly Dictionary<int, Singleflight> _byTenant = [];
            private readonly IHttpContextAccessor _accessor = null!;
            private readonly ITenantContext _tenant = null!;

            void M(string id, int limit, string userId, ClaimsPrincipal user, ICurrentUser currentUser, IUserRepository users, HttpContext context, ILogger logger, HybridCache hybrid, IMemoryCache memory)
            {
                var name = User.Identity!.Name;
                var route = context.Request.RouteValues["id"];
                _ = {{call}};
            }

            string KeyFor(string id) => id + User.Identity!.Name;
            static string ViewerKey(string id) => id;
            static Task<int> LoadAsync(string id, object? viewer) => Task.FromResult(5);
            Task<int> MemberAsync(CancellationToken flight) => LoadAsync("", {{member}});
        }
        """;
}
