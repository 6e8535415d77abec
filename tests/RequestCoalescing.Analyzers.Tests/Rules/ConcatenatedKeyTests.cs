using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.ConcatenatedKey.ConcatenatedKeyAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC012.</summary>
public sealed class ConcatenatedKeyTests
{
    [Theory]
    [InlineData("[|$\"{name}:{other}\"|]")]
    [InlineData("[|$\"{name}{other}\"|]")]
    [InlineData("[|$\"{number}{name}\"|]")]
    [InlineData("[|$\"{number}{number}\"|]")]
    [InlineData("[|$\"{number}-{number}\"|]")]
    [InlineData("[|$\"post:{name}:{other}:{number}\"|]")]
    [InlineData("[|$\"{name}-{number}\"|]")]
    [InlineData("[|$\"{name}+{number}\"|]")]
    [InlineData("[|$\"{name}.{number}\"|]")]
    [InlineData("[|$\"{name}{number}\"|]")]
    [InlineData("[|$\"{name}, {flags}\"|]")]
    [InlineData("[|$\"{name} {date}\"|]")]
    [InlineData("[|name + other|]")]
    [InlineData("[|name + \":\" + other|]")]
    [InlineData("[|string.Concat(name, \":\", other)|]")]
    [InlineData("[|$\"{sort},{flags},{name}\"|]")]
    [InlineData("[|$\"{date}:{name}\"|]")]
    public Task A_text_that_different_parts_can_make_is_found(string key) => Rule.FindsAsync(InClass(key));

    [Theory]
    [InlineData("name")]
    [InlineData("\"all\"")]
    [InlineData("$\"post:{name}\"")]
    [InlineData("$\"{name}:post\"")]
    [InlineData("\"post:\" + name")]
    [InlineData("name + \":post\"")]
    [InlineData("$\"{number}:{name}\"")]
    [InlineData("$\"{number}:{number}\"")]
    [InlineData("$\"{maybe}:{name}\"")]
    [InlineData("$\"{sort}:{number}:{name}\"")]
    [InlineData("$\"{id}{name}\"")]
    [InlineData("$\"post:{name}:{number}\"")]
    [InlineData("$\"{number}|{name}|{number}\"")]
    [InlineData("$\"{name}{id}\"")]
    [InlineData("$\"{name}|{date}|{sort}\"")]
    [InlineData("name + ':' + number")]
    [InlineData("$\"{id}-{name}\"")]
    [InlineData("$\"{date}|{name}\"")]
    [InlineData("$\"{flag}:{name}\"")]
    [InlineData("$\"post:{5}:{name}\"")]
    [InlineData("name.ToUpperInvariant()")]
    [InlineData("string.Join(\":\", name, other)")]
    [InlineData("Escape(name) ")]
    public Task A_text_of_which_the_parts_can_be_told_apart_is_left_alone(string key) => Rule.NoneAsync(InClass(key));

    [Fact]
    public Task A_tuple_is_left_alone() => Rule.NoneAsync(InClass("(name, other)", "Singleflight<(string, string)>"));

    [Fact]
    public Task The_text_is_marked_where_it_is_made() => Rule.FindsAsync(InClass("key", local: "[|$\"{name}:{other}\"|]"));

    [Theory]
    [InlineData("key", "$\"{name}:{other}\"", "LoadAsync(key)")]
    [InlineData("key", "name + other", "LoadAsync(key + number)")]
    [InlineData("$\"{name}:{other}\"", "\"\"", "LoadAsync($\"{name}:{other}\")")]
    [InlineData("$\"{name}:{other}\"", "\"\"", "LoadAsync($\"{ name }:{ other }\" + number)")]
    public Task A_text_that_is_all_the_work_reads_is_left_alone(string key, string local, string work) => Rule.NoneAsync(InClass(key, local: local, work: work));

    [Theory]
    [InlineData("key", "[|$\"{name}:{other}\"|]", "LoadAsync(key + name)")]
    [InlineData("key", "[|$\"{name}:{other}\"|]", "LoadAsync(\"all\")")]
    [InlineData("[|$\"{name}:{other}\"|]", "\"\"", "LoadAsync($\"{name}/{other}\")")]
    [InlineData("[|$\"{name}:{other}\"|]", "\"\"", "LoadAsync($\"{name}:{other}\" + other)")]
    [InlineData("[|$\"{name}:{other}\"|]", "\"\"", "LoadAsync(key)")]
    public Task A_text_whose_parts_the_work_reads_is_found(string key, string local, string work) => Rule.FindsAsync(InClass(key, local: local, work: work));

    [Theory]
    [InlineData("[|$\"post:{name}-{number}\"|]", "(name, number)", "(string, int)")]
    [InlineData("[|name + \":\" + other|]", "(name, other)", "(string, string)")]
    public Task The_fix_makes_a_tuple(string before, string after, string type) =>
        Rule.FixesAsync<TupleKeyFix>(InClass(before), InClass(after, $"Singleflight<{type}>"));

    [Theory]
    [InlineData("[|$\"{name}-{number:D5}\"|]", "")]
    [InlineData("[|$\"{name}:{other}\"|]", "void Change(string key) => _posts.Forget(key);")]
    public Task No_fix_is_offered_where_other_code_would_have_to_change(string key, string more) =>
        Rule.FixesAsync<TupleKeyFix>(InClass(key, more: more), InClass(key, more: more));

    private static string InClass(string key, string engine = "Singleflight", string local = "\"\"", string more = "", string work = "5") =>
        $$"""
        enum Sort { Newest }
        [Flags] enum Flags { One = 1, Two = 2 }

        class C
        {
            private readonly {{engine}} _posts = new();

            void M(string name, string other, int number, int? maybe, bool flag, Sort sort, Flags flags, Guid id, DateTime date)
            {
                var key = {{local}};
                _ = _posts.ExecuteAsync({{key}}, flight => {{work}});
            }

            {{more}}

            static string Escape(string text) => text;
            static Task<int> LoadAsync(string text) => Task.FromResult(5);
        }
        """;
}
