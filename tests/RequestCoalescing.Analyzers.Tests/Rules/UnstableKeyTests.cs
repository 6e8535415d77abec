using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.UnstableKey.UnstableKeyAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC009.</summary>
public sealed class UnstableKeyTests
{
    [Theory]
    [InlineData("$\"{id}:{{|RC009:DateTime.UtcNow|}}\"")]
    [InlineData("$\"{id}:{{|RC009:DateTime.Now|}:O}\"")]
    [InlineData("$\"{id}:{{|RC009:DateTimeOffset.UtcNow|}}\"")]
    [InlineData("$\"{id}:{{|RC009:clock.GetUtcNow()|}}\"")]
    [InlineData("$\"{id}:{{|RC009:Stopwatch.GetTimestamp()|}}\"")]
    [InlineData("$\"{id}:{{|RC009:Environment.TickCount64|}}\"")]
    [InlineData("{|RC009:Guid.NewGuid()|}.ToString()")]
    [InlineData("id + {|RC009:Guid.CreateVersion7()|}")]
    [InlineData("string.Concat(id, {|RC009:Guid.NewGuid()|}.ToString())")]
    [InlineData("$\"{id}:{{|RC009:Random.Shared.Next()|}}\"")]
    [InlineData("$\"{id}:{{|RC009:new Random().Next()|}}\"")]
    [InlineData("{|RC009:context.TraceIdentifier|}")]
    [InlineData("$\"{id}:{{|RC009:Activity.Current!.Id|}}\"")]
    [InlineData("$\"{id}:{{|RC009:Activity.Current!.TraceId|}}\"")]
    [InlineData("$\"{id}:{{|RC009:current!.RootId|}}\"")]
    [InlineData("$\"{id}:{{|RC009:started!.SpanId|}}\"")]
    public Task A_part_of_a_text_that_is_new_each_time_is_found(string key) => Rule.FindsAsync(InClass(key));

    [Theory]
    [InlineData("(id, {|RC009:DateTime.UtcNow|})")]
    [InlineData("(id, {|RC009:Guid.NewGuid()|})")]
    [InlineData("new PostKey(id, {|RC009:DateTime.UtcNow|})")]
    [InlineData("new { id, At = {|RC009:DateTime.UtcNow|} }")]
    [InlineData("{|RC009:new object()|}")]
    [InlineData("{|RC009:array|}")]
    [InlineData("{|RC009:(id, array)|}")]
    [InlineData("{|RC009:new[] { id }|}")]
    [InlineData("{|RC009:list|}")]
    [InlineData("{|RC009:sequence|}")]
    [InlineData("{|RC009:query|}")]
    [InlineData("{|RC009:new Query { Id = id }|}")]
    [InlineData("{|RC009:(id, query)|}")]
    [InlineData("{|RC009:new Shared(clock)|}")]
    [InlineData("{|RC009:(id, new Shared(clock))|}")]
    [InlineData("{|RC009:search|}")]
    [InlineData("{|RC009:new Content(clock, array)|}")]
    [InlineData("{|RC009:content with { Tags = array }|}")]
    [InlineData("{|RC009:new ListKey(list)|}")]
    [InlineData("{|RC009:latitude|}")]
    [InlineData("{|RC009:(latitude, 5)|}")]
    [InlineData("{|RC009:(float)latitude|}")]
    public Task A_part_of_another_key_that_is_new_or_never_equal_is_found(string key) => Rule.FindsAsync(InClass(key, "Singleflight<object>"));

    [Theory]
    [InlineData("Singleflight<string[]>", "{|RC009:array|}")]
    [InlineData("Singleflight<List<string>>", "{|RC009:list|}")]
    [InlineData("Singleflight<Query>", "{|RC009:query|}")]
    [InlineData("Singleflight<double>", "{|RC009:latitude|}")]
    [InlineData("ISingleflight<Query>", "{|RC009:query|}")]
    public Task The_type_of_the_keys_counts(string engine, string key) => Rule.FindsAsync(InClass(key, engine, engine.Replace("I", "", StringComparison.Ordinal)));

    [Theory]
    [InlineData("id", "Singleflight")]
    [InlineData("$\"{id}:{date}\"", "Singleflight")]
    [InlineData("$\"{id}:{date:yyyy-MM-dd}\"", "Singleflight")]
    [InlineData("$\"{id}:{DateTime.UtcNow.Date:d}\"", "Singleflight")]
    [InlineData("$\"{id}:{DateTime.UtcNow:yyyy-MM-dd}\"", "Singleflight")]
    [InlineData("$\"{id}:{DateTime.UtcNow.Year}\"", "Singleflight")]
    [InlineData("$\"{id}:{clock.GetUtcNow().Date:d}\"", "Singleflight")]
    [InlineData("$\"{id}:{Round(DateTime.UtcNow)}\"", "Singleflight")]
    [InlineData("$\"{id}:{guid}\"", "Singleflight")]
    [InlineData("$\"{id}:{parent.SpanId}\"", "Singleflight")]
    [InlineData("$\"{id}:{current!.Parent!.Id}\"", "Singleflight")]
    [InlineData("Activity.Current!.OperationName", "Singleflight")]
    [InlineData("shared", "Singleflight<Shared>")]
    [InlineData("(id, shared)", "Singleflight<(string, Shared)>")]
    [InlineData("shared", "Singleflight<object>")]
    [InlineData("content", "Singleflight<Content>")]
    [InlineData("(id, guid)", "Singleflight<(string, Guid)>")]
    [InlineData("new PostKey(id, date)", "Singleflight<PostKey>")]
    [InlineData("new { id, date }", "Singleflight<object>")]
    [InlineData("new Equal()", "Singleflight<Equal>")]
    [InlineData("new Derived()", "Singleflight<Equal>")]
    [InlineData("(object)5", "Singleflight<object>")]
    [InlineData("typeof(string)", "Singleflight<Type>")]
    [InlineData("typeof(string)", "Singleflight<object>")]
    [InlineData("new Uri(id)", "Singleflight<Uri>")]
    [InlineData("s_key", "Singleflight<object>")]
    [InlineData("(decimal)latitude", "Singleflight<decimal>")]
    [InlineData("new OwnListKey(list)", "Singleflight<OwnListKey>")]
    [InlineData("array", "Singleflight<string[]>", "Singleflight<string[]>(comparer: null)")]
    public Task Stable_keys_with_equality_are_left_alone(string key, string engine, string created = "") => Rule.NoneAsync(InClass(key, engine, created));

    [Theory]
    [InlineData("_ = hybrid.GetOrCreateAsync($\"{id}:{{|RC009:DateTime.UtcNow|}}\", flight => new ValueTask<int>(5));")]
    [InlineData("_ = memory.GetOrCreate({|RC009:list|}, entry => 5);")]
    [InlineData("_ = memory.GetOrCreate((id, date), entry => 5);")]
    public async Task Caches_are_looked_at_when_the_setting_says_so(string call)
    {
        await Rule.FindsAsync(InClass("id", more: call), checkCaches: true);
        await Rule.NoneAsync(InClass("id", more: call.Replace("{|RC009:", "", StringComparison.Ordinal).Replace("|}", "", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("$\"{id}:{{|RC009:DateTime.UtcNow|}}\"", "$\"{id}\"")]
    [InlineData("$\"{{|RC009:Guid.NewGuid()|}}:{id}\"", "$\"{id}\"")]
    [InlineData("$\"post:{id}:{{|RC009:Guid.NewGuid()|}}:{date}\"", "$\"post:{id}:{date}\"")]
    public Task The_fix_removes_the_value_from_the_text(string before, string after) => Rule.FixesAsync<RemoveFromKeyFix>(InClass(before), InClass(after));

    [Theory]
    [InlineData("$\"{{|RC009:Guid.NewGuid()|}}\"")]
    [InlineData("id + {|RC009:Guid.NewGuid()|}")]
    public Task No_fix_is_offered_where_no_key_would_be_left(string key) => Rule.FixesAsync<RemoveFromKeyFix>(InClass(key), InClass(key));

    private static string InClass(string key, string engine = "Singleflight", string created = "", string more = "") =>
        $$"""
        record PostKey(string Id, DateTime At);
        record ListKey(List<string> Ids);
        record OwnListKey(List<string> Ids) { public virtual bool Equals(OwnListKey? other) => true; public override int GetHashCode() => 0; }
        class Query { public string Id { get; set; } = ""; }
        class SearchQuery(TimeProvider clock) { public TimeProvider Clock => clock; }
        class Shared(TimeProvider clock) { public TimeProvider Clock => clock; }
        record Content(TimeProvider Clock, string[] Tags);
        class Equal { public string Id { get; set; } = ""; public override bool Equals(object? other) => true; public override int GetHashCode() => 0; }
        class Derived : Equal { public string Name { get; set; } = ""; }

        class C
        {
            private static readonly object s_key = new();
            private readonly {{engine}} _posts = new {{(created.Length > 0 ? created : engine)}}{{(created.EndsWith(')') ? "" : "()")}};

            void M(string id, DateTime date, Guid guid, double latitude, string[] array, List<string> list, IEnumerable<string> sequence, Query query, SearchQuery search, Shared shared, Content content, Activity parent, ActivitySource spans, TimeProvider clock, HttpContext context, HybridCache hybrid, IMemoryCache memory)
            {
                var current = Activity.Current;
                using var started = spans.StartActivity("load");
                _ = _posts.ExecuteAsync({{key}}, flight => 5);
                {{more}}
            }

            static DateTime Round(DateTime date) => date.Date;
        }
        """;
}
