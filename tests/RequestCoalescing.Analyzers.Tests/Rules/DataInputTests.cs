using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002 tells data, which the key must contain, from services, settings, and values that decide only how the work is done.</summary>
public sealed class DataInputTests
{
    [Theory]
    [InlineData("bool")]
    [InlineData("double")]
    [InlineData("string")]
    [InlineData("DateTime")]
    [InlineData("DateTimeOffset")]
    [InlineData("DateOnly")]
    [InlineData("TimeOnly")]
    [InlineData("Guid")]
    [InlineData("Uri")]
    [InlineData("Version")]
    [InlineData("Half")]
    [InlineData("Int128")]
    [InlineData("UInt128")]
    [InlineData("Range")]
    [InlineData("Index")]
    [InlineData("System.Numerics.BigInteger")]
    [InlineData("Microsoft.Extensions.Primitives.StringValues")]
    [InlineData("List<int>")]
    [InlineData("Dictionary<string, Guid>")]
    [InlineData("System.Collections.Immutable.ImmutableArray<int>")]
    [InlineData("System.Collections.ObjectModel.ReadOnlyCollection<int>")]
    [InlineData("System.Collections.Frozen.FrozenSet<int>")]
    [InlineData("List<int[]>[]")]
    [InlineData("(int, List<string>)")]
    [InlineData("Point")]
    [InlineData("Keys")]
    [InlineData("Plain")]
    [InlineData("Tagged")]
    [InlineData("Counted")]
    public Task A_value_that_callers_choose_is_found(string type) => Rule.FindsAsync(InClass($"{type} value", "[|value|]"));

    [Theory]
    [InlineData("TimeSpan")]
    [InlineData("IDatabase")]
    [InlineData("IDatabase[]")]
    [InlineData("(IDatabase, Cache)")]
    [InlineData("(int, IDatabase)")]
    [InlineData("List<IDatabase>")]
    [InlineData("Dictionary<string, IDatabase>")]
    [InlineData("Lazy<int>")]
    [InlineData("Own.Guid")]
    [InlineData("Own.Handle?")]
    [InlineData("Handler")]
    [InlineData("Empty")]
    [InlineData("Nothing")]
    [InlineData("List<int>.Enumerator")]
    [InlineData("Hidden")]
    [InlineData("Active")]
    [InlineData("Derived")]
    [InlineData("Implementing")]
    [InlineData("Abstract")]
    [InlineData("Random")]
    [InlineData("System.Threading.Tasks.ValueTask<int>")]
    public Task A_value_that_is_no_data_is_left_alone(string type) => Rule.NoneAsync(InClass($"{type} value", "value"));

    [Theory]
    [InlineData("Options")]
    [InlineData("Settings")]
    [InlineData("Configuration")]
    [InlineData("Config")]
    [InlineData("Context")]
    [InlineData("Services")]
    [InlineData("Dependencies")]
    [InlineData("Policy")]
    [InlineData("Client")]
    public Task A_type_that_is_named_as_settings_or_services_is_left_alone(string suffix) =>
        Rule.NoneAsync(InClass($"Post{suffix} value", "value.Limit", $"record Post{suffix}(int Limit);"));

    [Theory]
    [InlineData("Request")]
    [InlineData("Query")]
    [InlineData("Filter")]
    [InlineData("Criteria")]
    [InlineData("Parameters")]
    [InlineData("Params")]
    [InlineData("Input")]
    [InlineData("Search")]
    [InlineData("Paging")]
    [InlineData("Args")]
    public Task A_part_of_a_type_that_is_named_as_a_request_stands_for_no_other_part(string suffix) =>
        Rule.FindsAsync(InClass($"Post{suffix} value", "[|value.Limit|]", $"record Post{suffix}(string Id, int Limit);", "value.Id"));

    [Theory]
    [InlineData("timeoutSeconds")]
    [InlineData("ttl")]
    [InlineData("retries")]
    [InlineData("maxRetryCount")]
    [InlineData("attempts")]
    [InlineData("expiry")]
    [InlineData("expiration")]
    [InlineData("delay")]
    [InlineData("duration")]
    [InlineData("cacheLifetime")]
    [InlineData("traceId")]
    [InlineData("correlationId")]
    [InlineData("requestId")]
    [InlineData("loggerName")]
    [InlineData("settings_TTL")]
    public Task A_value_that_is_named_as_one_that_decides_how_the_work_is_done_is_left_alone(string name) => Rule.NoneAsync(InClass($"int {name}", name));

    [Theory]
    [InlineData("string", "Length")]
    [InlineData("DateTime", "Year")]
    [InlineData("Uri", "Host")]
    [InlineData("int[]", "Length")]
    [InlineData("List<int>", "Count")]
    public Task A_member_of_a_value_that_is_no_object_is_no_input_of_its_own(string type, string member) => Rule.FindsAsync(InClass($"{type} value", $"[|value|].{member}"));

    [Fact]
    public Task The_name_of_a_part_counts_as_well() => Rule.NoneAsync(InClass("Traced value", "value.RequestId", "record Traced(string RequestId);"));

    [Theory]
    [InlineData("battleId")]
    [InlineData("bloggerId")]
    [InlineData("retrievedFields")]
    [InlineData("includeExpired")]
    [InlineData("onlyDelayed")]
    [InlineData("pullRequestId")]
    public Task A_value_whose_name_only_looks_like_one_is_found(string name) => Rule.FindsAsync(InClass($"int {name}", $"[|{name}|]"));

    private static string InClass(string parameter, string read, string types = "", string key = "id") =>
        $$"""
        namespace Own
        {
            class Guid : IDisposable { public void Dispose() { } }
            struct Handle { public IDisposable Owner { get; set; } }
        }

        interface IDatabase;
        delegate int Handler();
        class Cache;
        struct Point { public int X; public int Y; }
        record Keys(int[] Values);
        class Plain { public string Name { get; set; } = ""; }
        class Tagged { public static readonly object Gate = new(); public const string Kind = ""; public string Name { get; set; } = ""; }
        class Counted { public Counted(int count) => Count = count; public int Count { get; } }
        class Empty;
        record Nothing;
        class Hidden { private int Count { get; set; } public int Twice; }
        class Active { public int Count { get; set; } public int Twice() => Count * 2; }
        class Base { public IDatabase? Database { get; set; } }
        class Derived : Base { public int Count { get; set; } }
        class Implementing : IDatabase { public int Count { get; set; } }
        abstract record Abstract(int Count);
        {{types}}

        class C
        {
            private readonly Singleflight _posts = new();

            void M(string id, {{parameter}}) => _posts.ExecuteAsync({{key}}, flight => LoadAsync({{read}}));

            static Task<int> LoadAsync(object? value) => Task.FromResult(5);
        }
        """;
}
