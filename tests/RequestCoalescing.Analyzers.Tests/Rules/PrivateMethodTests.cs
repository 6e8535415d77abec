using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.KeyLacksInput.KeyLacksInputAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC002 in a private method, which is read together with its caller.</summary>
public sealed class PrivateMethodTests
{
    private const string Load = "private void Load(string path, string name, int limit = 5) => _posts.ExecuteAsync(path, flight => LoadAsync(NAME, LIMIT, flight));";

    [Theory]
    [InlineData("public void M(string path) => Load(path, path.ToUpperInvariant());")]
    [InlineData("public void M(string path) => this.Load(path, path.ToUpperInvariant(), 7);")]
    [InlineData("public void M(string path) => Load(limit: Max, name: System.IO.Path.GetFileName(path), path: path + '/');")]
    [InlineData("public void M(string path, string[] folders) { foreach (var folder in folders) { var name = folder.Trim('/'); Load(folder, name); } }")]
    [InlineData("public void M(string path) { Action load = () => Load(path, path); load(); }")]
    [InlineData("public void M(string path, int limit) { if (limit != 10) return; Load(path, path, limit); }")]
    [InlineData("public void M(string cacheKey, string name, int limit) => Load(cacheKey, name, limit);")]
    [InlineData("public void M(string path) => N(path, path); private void N(string path, string name) { name = name.Trim(); Load(path, name); }")]
    [InlineData("public void M(string path) => N(path, path); private void N(string path, string name) { Action load = () => Load(path, name); load(); }")]
    [InlineData("public void M(string path) => N(path, path); private void N(string path, string name) { Inner(); Inner(); void Inner() => Load(path, name); }")]
    [InlineData("public void M(string path) => Load(path, nameof(Load)); void Load(string path) { }")]
    [InlineData("public void M(string path) => Load(path, Region);")]
    [InlineData("public void M(string path) => One(path); private void One(string path) { var parts = path.Split('.'); Two(path, parts[1]); } private void Two(string path, string name) => Three(path, name); private void Three(string path, string name) => Load(path, name);")]
    [InlineData("public void M(string path, int limit) { var place = path + limit; Load(place, path, limit); }")]
    [InlineData("class Inner(C outer) { public void M(string path) => outer.Load(path, path); }")]
    [InlineData("class Inner(C? outer) { public void M(string path) => outer?.Load(path, path); }")]
    public Task Arguments_that_the_key_decides_are_left_alone(string caller) => Rule.NoneAsync(InClass(caller, Load.Replace("NAME", "name", StringComparison.Ordinal).Replace("LIMIT", "limit", StringComparison.Ordinal)));

    [Theory]
    [InlineData("public void M(string path, string name) => Load(path, name, 5);", "[|name|]", "limit")]
    [InlineData("public void M(string path, string other) => Load(path, path + other, 5);", "[|name|]", "limit")]
    [InlineData("public void M(string path, int limit) => Load(path, path, limit);", "name", "[|limit|]")]
    [InlineData("public void M(Query query) => Load(query.Path, query.Path, query.Limit);", "name", "[|limit|]")]
    [InlineData("public void M(string path) { Load(path, path, 5); Load(path, path, 6); }", "[|name|]", "[|limit|]")]
    [InlineData("public void M(string path) { Load(path, path, 5); Action<string, string, int> load = Load; }", "[|name|]", "[|limit|]")]
    [InlineData("public Action<string, string, int> M() => Load;", "[|name|]", "[|limit|]")]
    [InlineData("", "[|name|]", "[|limit|]")]
    [InlineData("public void M(string path, string name) => N(path, name); private void N(string path, string given) { given = given.Trim(); Load(path, given); }", "[|name|]", "limit")]
    [InlineData("public void M(string path, string other) { var name = other.Trim(); Load(path, name); }", "[|name|]", "limit")]
    [InlineData("private void M(string path, int limit) => Load(path, path, limit);", "name", "[|limit|]")]
    public Task Arguments_that_the_key_lacks_are_found(string caller, string name, string limit) => Rule.FindsAsync(InClass(caller, Load.Replace("NAME", name, StringComparison.Ordinal).Replace("LIMIT", limit, StringComparison.Ordinal)));

    [Theory]
    [InlineData("public")]
    [InlineData("internal")]
    [InlineData("protected")]
    public Task A_method_that_other_code_can_call_is_read_alone(string access) => Rule.FindsAsync(InClass(
        "public void M(string path) => Load(path, path, 5);",
        $"{access} void Load(string path, string name, int limit) => _posts.ExecuteAsync(path, flight => LoadAsync([|name|], [|limit|], flight));"));

    [Fact]
    public Task Methods_that_call_each_other_or_themselves_are_read_once() => Rule.FindsAsync(InClass(
        "private void One(string path, string name) => Two(path, name); private void Two(string path, string name) { One(path, name); _posts.ExecuteAsync(path, flight => LoadAsync(name, 5, flight)); }",
        "private void Load(string path, string name) { Load(path, name); _posts.ExecuteAsync(path, flight => LoadAsync(name, 5, flight)); }"));

    [Fact]
    public Task A_local_that_is_made_of_arguments_counts() => Rule.NoneAsync(InClass(
        "public void M(string path) => Load(path, path);",
        "private void Load(string path, string name) { var upper = name.ToUpperInvariant(); _posts.ExecuteAsync(path, flight => LoadAsync(upper, 5, flight)); }"));

    [Fact]
    public Task A_generic_method_is_read_with_its_caller() => Rule.NoneAsync(InClass(
        "public void M(string path) => Load<int>(path, path);",
        "private void Load<T>(string path, string name) => _posts.ExecuteAsync(path, flight => LoadAsync(name, 5, flight));"));

    private static string InClass(string caller, string method) =>
        $$"""
        record Query(string Path, int Limit);

        class C
        {
            private const int Max = 5;
            private readonly Singleflight _posts = new();

            public string Region { get; } = "";

            {{caller}}

            {{method}}

            private static Task<int> LoadAsync(string name, int limit, CancellationToken token) => Task.FromResult(limit);
        }
        """;
}
