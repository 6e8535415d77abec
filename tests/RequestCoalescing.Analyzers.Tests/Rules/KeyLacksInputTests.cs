using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002.</summary>
public sealed class KeyLacksInputTests
{
    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => Load(id, [|limit|]))")]
    [InlineData("_posts.ExecuteAsync(\"all\", flight => Load([|id|], 5))")]
    [InlineData("_posts.ExecuteAsync(\"all\", flight => Load([|id|], [|limit|]))")]
    [InlineData("_posts.ExecuteAsync($\"post:{id}\", async flight => { await Task.Yield(); return Load(id, [|limit|]); })")]
    [InlineData("_posts.ExecuteAsync($\"post:{id}\", async (FlightContext flight) => await LoadAsync(id, [|limit|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, (this, id, [|limit|]), static (state, flight) => state.Item1.LoadAsync(state.id, state.limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, [|state|], static (state, flight) => state.Database.LoadAsync(state.Id + state.Limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, [|limit|], static (state, flight) => Task.FromResult(state))")]
    [InlineData("_posts.ExecuteInScopeAsync(id, (services, flight) => LoadAsync(id, [|limit|], flight))")]
    [InlineData("_tuples.ExecuteAsync((id, 5), flight => LoadAsync(id, [|limit|], flight))")]
    [InlineData("_tuples.ExecuteAsync((id, limit), flight => LoadAsync([|other|], limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|maybe|] ?? 5, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, (int)[|sort|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult([|ids|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult([|date|]))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult([|page.Size|]))")]
    [InlineData("_posts.ExecuteAsync(query.Id, flight => LoadAsync(query.Id, [|query.Limit|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|query.Limit|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => { var all = limit; return LoadAsync(id, all, flight); })", "limit")]
    [InlineData("_posts.ExecuteAsync(id, LocalAsync)", "limit in a local function")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|doubled|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|queryLimit|], flight))")]
    [InlineData("_posts.ExecuteAsync(query.Id, flight => LoadAsync(id = query.Id, [|queryLimit|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => people.Where(person => person.Name == [|other|]).FirstAsync(flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => [|filtered|].FirstAsync(flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult([|Request.Query[\"page\"]|].Count))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult([|context.Request.Query[\"page\"]|].Count))")]
    [InlineData("_posts.ExecuteAsync(Request.Query[\"id\"]!, flight => Task.FromResult([|Request.Query[\"page\"]|].Count))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|_page|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, [|Bound|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, MemberAsync)", "a member of this in a method")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, limit < 0 ? 1 : 2, flight))", "limit in a condition")]
    [InlineData("_posts.ExecuteAsync(NoArguments(), flight => LoadAsync(\"\", [|limit|], flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => _tuples.ExecuteAsync((id, limit), inner => LoadAsync(id, limit, inner), flight).AsTask())", "an inner call")]
    public Task An_input_that_the_key_lacks_is_found(string call, string how = "") => Rule.FindsAsync(how switch
    {
        "limit" => InClass(call.Replace("all = limit", "all = [|limit|]", StringComparison.Ordinal)),
        "limit in a condition" => InClass(call.Replace("limit <", "[|limit|] <", StringComparison.Ordinal)),
        "limit in a local function" => InClass(call, local: "[|limit|]"),
        "a member of this in a method" => InClass(call, member: "[|_page|]"),
        "an inner call" => InClass(call.Replace("(id, limit)", "(id, [|limit|])", StringComparison.Ordinal)),
        _ => InClass(call),
    });

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, 5, flight))")]
    [InlineData("_tuples.ExecuteAsync((id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{id}:{limit}\", flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id + \":\" + limit, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(string.Concat(id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(string.Join(':', id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(string.Join(',', ids), flight => Task.FromResult(ids))")]
    [InlineData("_posts.ExecuteAsync(string.Join(',', ids.Select(one => one * 2)), flight => Task.FromResult(ids))")]
    [InlineData("_posts.ExecuteAsync(string.Format(\"{0}:{1}\", id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(MakeKey(id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(id + limit))), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_objects.ExecuteAsync(new PostKey(id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_objects.ExecuteAsync(new { id, limit }, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_objects.ExecuteAsync(HashCode.Combine(id, limit), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_objects.ExecuteAsync(query, flight => LoadAsync(query.Id, query.Limit, flight))")]
    [InlineData("_objects.ExecuteAsync((query.Id, query.Limit), flight => LoadAsync(query.Id, query.Limit, flight))")]
    [InlineData("_objects.ExecuteAsync(query, flight => LoadAsync(id = query.Id, queryLimit, flight))")]
    [InlineData("_objects.ExecuteAsync((id, query.Limit), flight => LoadAsync(id, queryLimit, flight))")]
    [InlineData("_objects.ExecuteAsync(page with { Size = limit }, flight => Task.FromResult(page.Size + limit))")]
    [InlineData("_posts.ExecuteAsync(person.Name, flight => Task.FromResult(person))")]
    [InlineData("_posts.ExecuteAsync(person.Name, flight => Task.FromResult(person.Age))")]
    [InlineData("_posts.ExecuteAsync(composed, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(built.ToString(), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(listed, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_objects.ExecuteAsync(hash.ToHashCode(), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(chosen, flight => LoadAsync(\"\", limit, flight))")]
    [InlineData("_posts.ExecuteAsync(limit == 10 ? \"ten\" : \"other\", flight => LoadAsync(\"\", limit, flight))")]
    [InlineData("_posts.ExecuteAsync(LocalKey(), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(lambda(), flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, upper.Length, flight))")]
    [InlineData("_posts.ExecuteAsync(upper, flight => LoadAsync(id, 5, flight))")]
    [InlineData("_posts.ExecuteAsync(upper, flight => LoadAsync(upper, 5, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{doubled}\", flight => LoadAsync(\"\", limit, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{limit}\", flight => LoadAsync(\"\", doubled, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{parsed}\", flight => LoadAsync(id, parsed, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, parsed, flight))")]
    [InlineData("_objects.ExecuteAsync((id, other), flight => filtered.FirstAsync(flight))")]
    [InlineData("_posts.ExecuteAsync(id, (this, id), static (state, flight) => state.Item1.LoadAsync(state.id, 5, flight))")]
    [InlineData("_tuples.ExecuteAsync((id, limit), state, static (state, flight) => state.Database.LoadAsync(state.Id + state.Limit, flight))")]
    [InlineData("(limit > 5 ? _posts : _others).ExecuteAsync(id, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_many[limit].ExecuteAsync(id, flight => LoadAsync(id, limit, flight))")]
    [InlineData("EngineFor(limit).ExecuteAsync(id, flight => LoadAsync(id, limit, flight))")]
    public Task An_input_that_the_key_is_made_of_in_any_way_is_left_alone(string call) => Rule.NoneAsync(InClass(call));

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, 5, ct))")]
    [InlineData("_posts.ExecuteAsync(id, flight => database.LoadAsync(id, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => _database.LoadAsync(id + _region + Region + s_max + Max + injected, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, _counter, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, BatchSize, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, ReadOnly, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, options.Value.Limit + settings.Limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.FromResult(clock.GetUtcNow()))")]
    [InlineData("_posts.ExecuteAsync(id, flight => { logger.LogInformation(\"{Limit}\", limit); return LoadAsync(id, 5, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => { Console.WriteLine(limit); return LoadAsync(id, 5, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id + nameof(limit), 5, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, 5, flight).WaitAsync(TimeSpan.FromSeconds(timeoutSeconds), flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, 5, flight).WaitAsync(wait, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => { written = 5; return LoadAsync(id, written, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => { count++; return LoadAsync(id, count, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => { Interlocked.Increment(ref count); return LoadAsync(id, count, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, constant, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, Fixed, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => { var limit2 = 5; return LoadAsync(id, limit2, flight); })")]
    [InlineData("_posts.ExecuteAsync(id, flight => Task.WhenAll(new[] { 1, 2 }.Select(number => LoadAsync(id, number, flight))))")]
    [InlineData("_posts.ExecuteAsync(cacheKey, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync($\"posts:{cacheKey}\", flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, flight => given(limit))")]
    [InlineData("_posts.ExecuteAsync(id, limit, static (state, flight) => Task.FromResult(state.ToString(System.Globalization.CultureInfo.InvariantCulture)).ContinueWith(text => 5))", "guarded")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, limit, flight))", "guarded")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, limit, flight))", "branch")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, drafts ? 1 : 2, flight))", "flag")]
    [InlineData("own.ExecuteAsync(id, flight => LoadAsync(id, limit, flight))")]
    [InlineData("new Singleflight().ExecuteAsync(id, flight => LoadAsync(id, limit, flight))")]
    [InlineData("_posts.ExecuteAsync(id, work)")]
    [InlineData("_posts.ExecuteAsync(id, WholeAsync)")]
    [InlineData("_posts.ExecuteAsync(NoArguments(), flight => LoadAsync(\"\", _page, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{_page}\", flight => LoadAsync(\"\", _page, flight))")]
    [InlineData("_posts.ExecuteAsync(ComputedKey, flight => LoadAsync(\"\", _page + Bound, flight))")]
    [InlineData("_posts.ExecuteAsync($\"{Request.Query[\"page\"]}\", flight => Task.FromResult(Request.Query[\"page\"].Count))")]
    [InlineData("_posts.ExecuteAsync(Request.Path, flight => Task.FromResult(Request.Path))")]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => new ValueTask<int>(limit))")]
    [InlineData("memory.GetOrCreate(id, entry => limit)")]
    [InlineData("_posts.ExecuteAsync(id, flight => Load(id, missing))", "errors")]
    public Task Values_that_are_equal_for_all_callers_or_that_other_code_answers_for_are_left_alone(string call, string around = "") => Rule.NoneAsync(around switch
    {
        "guarded" => InClass(call, before: "if (limit != 10) return;"),
        "branch" => InClass(call, before: "if (limit == 10)"),
        "flag" => InClass(call, before: "if (!drafts) { throw new InvalidOperationException(); }"),
        "errors" => InClass(call, before: "int missing = 5;"),
        _ => InClass(call),
    });

    [Theory]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => new ValueTask<int>([|limit|]))")]
    [InlineData("hybrid.GetOrCreateAsync($\"post:{id}\", flight => new ValueTask<int>([|limit|]))")]
    [InlineData("hybrid.GetOrCreateAsync(id, (id, [|limit|]), static (state, flight) => new ValueTask<int>(state.limit))")]
    [InlineData("memory.GetOrCreate(id, entry => [|limit|])")]
    [InlineData("memory.GetOrCreateAsync((id, 5), entry => LoadAsync(id, [|limit|], default))")]
    [InlineData("memory.GetOrCreateAsync((id, limit), entry => { entry.AbsoluteExpirationRelativeToNow = wait; return LoadAsync(id, limit, default); })")]
    public Task Caches_are_looked_at_when_the_setting_says_so(string call) => Rule.FindsAsync(InClass(call), checkCaches: true);

    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => Load(id, [|limit|]))", "_posts.ExecuteAsync($\"{id}:{limit}\", flight => Load(id, limit))")]
    [InlineData("_posts.ExecuteAsync(\"all\", flight => Load(\"\", [|limit|]))", "_posts.ExecuteAsync($\"all:{limit}\", flight => Load(\"\", limit))")]
    [InlineData("_posts.ExecuteAsync($\"post:{id}\", flight => Load(id, [|limit|]))", "_posts.ExecuteAsync($\"post:{id}:{limit}\", flight => Load(id, limit))")]
    [InlineData("_objects.ExecuteAsync(id, flight => Load(id, [|limit|]))", "_objects.ExecuteAsync((id, limit), flight => Load(id, limit))")]
    [InlineData("_objects.ExecuteAsync(query.Id, flight => Load(query.Id, [|query.Limit|]))", "_objects.ExecuteAsync((query.Id, query.Limit), flight => Load(query.Id, query.Limit))")]
    [InlineData("_objects.ExecuteAsync(id, flight => [|filtered|].FirstAsync(flight))", "_objects.ExecuteAsync((id, other), flight => filtered.FirstAsync(flight))")]
    [InlineData("_posts.ExecuteAsync($@\"post:\\{id}\", flight => Load(id, [|limit|]))", "_posts.ExecuteAsync($@\"post:\\{id}:{limit}\", flight => Load(id, limit))")]
    [InlineData("_posts.ExecuteAsync(global::C.s_max + id, flight => Load(id, [|limit|]))", "_posts.ExecuteAsync($\"{(global::C.s_max + id)}:{limit}\", flight => Load(id, limit))")]
    [InlineData("_objects.ExecuteAsync(id, flight => Load(id, [|perhaps?.Limit|] ?? 5))", "_objects.ExecuteAsync((id, perhaps?.Limit), flight => Load(id, perhaps?.Limit ?? 5))")]
    public Task The_fix_adds_the_input_to_the_key(string before, string after) => Rule.FixesAsync<AddToKeyFix>(InClass(before), InClass(after));

    [Theory]
    [InlineData("Singleflight<int> _numbers = new()", "Singleflight<(int, string)> _numbers = new()", "id", "(id, name)")]
    [InlineData("ISingleflight<int> _numbers = new Singleflight<int>()", "ISingleflight<(int, string)> _numbers = new Singleflight<(int, string)>()", "id", "(id, name)")]
    [InlineData("Singleflight<(int Id, int Page)> _numbers = new()", "Singleflight<(int Id, int Page, string Name)> _numbers = new()", "(id, 5)", "(id, 5, name)")]
    public Task The_fix_changes_the_type_of_an_engine_that_only_this_call_uses(string field, string newField, string key, string newKey)
    {
        return Rule.FixesAsync<AddToKeyFix>(Numbers(field, key, "[|name|]"), Numbers(newField, newKey, "name"));
    }

    [Theory]
    [InlineData("Singleflight<(int Id, int Page)>", "pair", "Singleflight<((int Id, int Page), string)>", "(pair, name)")]
    [InlineData("Singleflight<PostKey>", "new(5, 6)", "Singleflight<(PostKey, string)>", "(new(5, 6), name)")]
    public Task The_fix_keeps_a_key_that_is_one_value_whole(string engine, string key, string newEngine, string newKey)
    {
        return Rule.FixesAsync<AddToKeyFix>(Whole(engine, key, "[|name|]"), Whole(newEngine, newKey, "name"));

        static string Whole(string engine, string key, string name) =>
            $$"""
            record struct PostKey(int Id, int Page);

            class C
            {
                private readonly {{engine}} _numbers = new();

                ValueTask<string> GetAsync((int Id, int Page) pair, string name) => _numbers.ExecuteAsync({{key}}, flight => Task.FromResult({{name}} + 5));
            }
            """;
    }

    [Fact]
    public Task No_fix_is_offered_where_other_calls_use_the_engine()
    {
        var code = Numbers("Singleflight<int> _numbers = new()", "id", "[|name|]", "void Change(int id) => _numbers.Forget(id);");
        return Rule.FixesAsync<AddToKeyFix>(code, code);
    }

    private static string Numbers(string field, string key, string read, string more = "") =>
        $$"""
        class C
        {
            private readonly {{field}};

            ValueTask<string> GetAsync(int id, string name) => _numbers.ExecuteAsync({{key}}, flight => Task.FromResult({{read}} + id));

            {{more}}
        }
        """;

    private static string InClass(string call, string local = "5", string member = "5", string before = "") =>
        $$"""
        enum Sort { Newest, Oldest }
        record Page(int Size);
        record PostQuery(string Id, int Limit);
        record struct PostKey(string Id, int Limit);
        record State(IDatabase Database, string Id, int Limit);
        class Person { public string Name { get; set; } = ""; public int Age { get; set; } }
        class LimitOptions { public int Limit { get; set; } }
        interface IDatabase { Task<int> LoadAsync(string id, CancellationToken ct); }

        class C(string injected) : Microsoft.AspNetCore.Mvc.ControllerBase
        {
            private const int Max = 5;
            internal static readonly int s_max = 5;
            private readonly Singleflight _posts = new();
            private readonly Singleflight _others = new();
            private readonly Singleflight<(string, int)> _tuples = new();
            private readonly Singleflight<object> _objects = new();
            private readonly Singleflight[] _many = [];
            private readonly IDatabase _database = null!;
            private readonly string _region = "";
            private int _counter;
            private int _page;

            public string Region { get; } = "";
            public int BatchSize { get; set; }
            public int ReadOnly => 5;
            [BindProperty] public int Bound { get; set; }
            private string ComputedKey => $"{_page}:{Bound}";

            void SetPage(int page) { _page = page; _counter = 7; }

            string NoArguments() => "";
            string MakeKey(params object[] parts) => "";
            Singleflight EngineFor(int limit) => _many[limit];

            void M(string id, int limit, string other, int? maybe, Sort sort, int[] ids, DateTime date, Page page, PostQuery query, PostQuery? perhaps, Person person, bool drafts,
                int timeoutSeconds, TimeSpan wait, string cacheKey, IDatabase database, IOptions<LimitOptions> options, LimitOptions settings, TimeProvider clock, ILogger logger,
                IQueryable<Person> people, HttpContext context, HybridCache hybrid, IMemoryCache memory, Func<int, Task<int>> given, Func<CancellationToken, Task<int>> work, CancellationToken ct)
            {
                const int Fixed = 5;
                var constant = 5;
                int written;
                var count = 0;
                var doubled = limit * 2;
                var queryLimit = query.Limit;
                var upper = id.ToUpperInvariant();
                int.TryParse(id, out var parsed);
                var filtered = people.Where(one => one.Name == other);
                var composed = id;
                composed += limit;
                var built = new System.Text.StringBuilder();
                built.Append(id).Append(':').Append(limit);
                var list = new List<string>();
                list.Add(id);
                list.Add($"{limit}");
                var listed = string.Join(':', list);
                var hash = new HashCode();
                hash.Add(id);
                hash.Add(limit);
                string chosen;
                if (limit > 10) chosen = "many";
                else chosen = "few";
                string LocalKey() => $"{id}:{limit}";
                var lambda = () => $"{id}:{limit}";
                var state = new State(database, id, limit);
                var own = new Singleflight();
                Task<int> LocalAsync(CancellationToken flight) => LoadAsync(id, {{local}}, flight);
                {{before}}
                _ = {{call}};
            }

            Task<int> MemberAsync(CancellationToken flight) => LoadAsync("", {{member}}, flight);
            Task<int> WholeAsync(CancellationToken flight) => LoadAsync("", 5, flight);
            Task<int> LoadAsync(string id, int limit, CancellationToken ct) => Task.FromResult(limit);
            int Load(string id, int limit) => limit;
        }
        """;
}
