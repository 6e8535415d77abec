using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002 tells the members of <c>this</c> that hold an argument or a request from dependencies and settings.</summary>
public sealed class MemberInputTests
{
    [Theory]
    [InlineData("private int _page; void Set(int page) => _page = page;", "[|_page|]")]
    [InlineData("private int _page; void Set(int page) => this._page = page;", "[|_page|]")]
    [InlineData("public int Page { get; set; } void Set(int page) => Page = page;", "[|Page|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.Query[\"page\"]|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.RouteValues[\"page\"]|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.Form[\"page\"]|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.Path|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.QueryString|]")]
    [InlineData("private readonly HttpContext _context = null!;", "[|_context.Request.Query[\"page\"]|]", "_context.Request.Query[\"id\"]")]
    [InlineData("private HttpRequest Incoming { get; } = null!;", "[|Incoming.Query[\"page\"]|]")]
    [InlineData("private readonly IHttpContextAccessor _accessor = null!;", "[|_accessor.HttpContext!.Request.Query[\"page\"]|]")]
    [InlineData("private readonly IHttpContextAccessor _accessor = null!;", "[|_accessor.HttpContext!.Request.Query[\"page\"]|]", "_accessor.HttpContext!.Request.Query[\"id\"]")]
    public Task A_member_that_holds_an_argument_or_a_request_is_found(string member, string read, string key = "id") => Rule.FindsAsync(InClass(member, read, key));

    [Theory]
    [InlineData("BindProperty", "ControllerBase")]
    [InlineData("BindProperty", "Controller")]
    [InlineData("BindProperty", "Microsoft.AspNetCore.Mvc.RazorPages.PageModel")]
    [InlineData("BindProperty", "ViewComponent")]
    [InlineData("FromQuery", "ControllerBase")]
    [InlineData("FromRoute", "ControllerBase")]
    [InlineData("FromHeader", "ControllerBase")]
    [InlineData("Microsoft.AspNetCore.Components.Parameter", "Microsoft.AspNetCore.Components.ComponentBase")]
    [InlineData("Microsoft.AspNetCore.Components.SupplyParameterFromQuery", "Microsoft.AspNetCore.Components.ComponentBase")]
    [InlineData("Microsoft.AspNetCore.Components.CascadingParameter", "Microsoft.AspNetCore.Components.ComponentBase")]
    public async Task A_property_that_the_framework_binds_is_found(string attribute, string type)
    {
        await Rule.FindsAsync(InClass($"[{attribute}] public int Page {{ get; set; }}", "[|Page|]", of: $" : {type}"));
        await Rule.FindsAsync(InClass($"[{attribute}] public int Page {{ get; init; }}", "[|Page|]", of: $" : {type}"));
    }

    [Theory]
    [InlineData("private int _page; public C(int page) => _page = page;", "_page")]
    [InlineData("private int _page; int Page { set => _page = value; }", "_page")]
    [InlineData("private int _page; void Set(int page) { void Inner(int other) => _page = other; Inner(5); }", "_page")]
    [InlineData("private int _page; void Set(int page) => _page += page;", "_page")]
    [InlineData("private int _page; void Set(int page) => _page = Math.Max(page, 5);", "_page")]
    [InlineData("private int _page; void Set(int page) { int _page = 5; _page = page; }", "_page")]
    [InlineData("private int _page; C Copy(int page) { var copy = new C(); copy._page = page; return copy; }", "_page")]
    [InlineData("private int _page; int Page { get; set; } void Set(int page) => Page = page;", "_page")]
    [InlineData("private int _timeout; void Set(int timeout) => _timeout = timeout;", "_timeout")]
    [InlineData("private LimitOptions _options = new(); void Set(LimitOptions options) => _options = options;", "_options.Limit")]
    [InlineData("private Waiting _waiting = new(5); void Set(Waiting waiting) => _waiting = waiting;", "_waiting.Wait")]
    [InlineData("[BindProperty] public int Page { get; set; }", "Page")]
    [InlineData("private readonly HttpContext _context = null!;", "_context.Request.Body.ReadByte()")]
    [InlineData("private readonly Envelope _envelope = null!;", "_envelope.Request.Path")]
    [InlineData("private readonly Folder _folder = null!;", "_folder.Path")]
    [InlineData("private readonly IHttpContextAccessor _accessor = null!;", "_accessor.HttpContext!.Request.Query[\"page\"]", "_accessor.HttpContext!.Request.Query")]
    public Task Another_member_is_left_alone(string member, string read, string key = "id") => Rule.NoneAsync(InClass(member, read, key));

    [Fact]
    public Task A_part_of_an_argument_that_is_no_data_is_left_alone() => Rule.NoneAsync(InClass(
        "void Set(string id, Waiting waiting) => _posts.ExecuteAsync(id, flight => LoadAsync(waiting.Wait));", "5"));

    private static string InClass(string member, string read, string key = "id", string of = "") =>
        $$"""
        class LimitOptions { public int Limit { get; set; } }
        class Folder(IMemoryCache cache) { public string Path => cache.ToString()!; }
        class Envelope(IMemoryCache cache) { public Folder Request => new(cache); }
        record Waiting(int Seconds) { public TimeSpan Wait => TimeSpan.FromSeconds(Seconds); }

        class C{{of}}
        {
            private readonly Singleflight<object> _posts = new();

            {{member}}

            void M(string id) => _posts.ExecuteAsync({{key}}, flight => LoadAsync({{read}}));

            static Task<int> LoadAsync(object? value) => Task.FromResult(5);
        }
        """;
}
