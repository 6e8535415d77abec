using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace RequestCoalescing.Analyzers.Tests;

/// <summary>No rule throws, however odd or unfinished the code is, and a finding can be suppressed.</summary>
public sealed class OddCodeTests
{
    private const string Found = "_posts.ExecuteAsync(id, flight => LoadAsync(id + limit, ct), ct)";

    private static readonly ImmutableArray<DiagnosticAnalyzer> s_analyzers =
    [
        .. typeof(Analyzers.Calls.CoalescedCallAnalyzer).Assembly.GetTypes()
            .Where(type => !type.IsAbstract && typeof(DiagnosticAnalyzer).IsAssignableFrom(type))
            .Select(type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!),
    ];

    [Theory]
    [InlineData("_posts.ExecuteAsync()")]
    [InlineData("_posts.ExecuteAsync(id)")]
    [InlineData("_posts.ExecuteAsync(id, )")]
    [InlineData("_posts.ExecuteAsync(, flight => 5)")]
    [InlineData("_posts.ExecuteAsync(id, flight =>")]
    [InlineData("_posts.ExecuteAsync(id, flight => missing)")]
    [InlineData("_posts.ExecuteAsync(missing, flight => 5)")]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(missing(id), limit, flight), ct")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { await ")]
    [InlineData("_posts.ExecuteAsync(id, (flight, more, again) => 5)")]
    [InlineData("_posts.ExecuteAsync(id, delegate { return 5; })")]
    [InlineData("_posts.ExecuteAsync(id, delegate { return LoadAsync(id + limit, ct); })")]
    [InlineData("_posts.ExecuteAsync(id, null!)")]
    [InlineData("_posts.ExecuteAsync<int>(id, null!)")]
    [InlineData("_posts.ExecuteAsync(default!, flight => 5)")]
    [InlineData("_posts.ExecuteAsync(id, id, (state, flight) => throw new InvalidOperationException())")]
    [InlineData("_posts.ExecuteAsync(id, Recursive)")]
    [InlineData("_posts.ExecuteAsync(Loop(), flight => Loop())")]
    [InlineData("_posts.ExecuteAsync(Loop(), flight => id)")]
    [InlineData("_posts.ExecuteAsync(self = self + id, flight => self)")]
    [InlineData("_posts.ExecuteAsync($\"{id")]
    [InlineData("5; var (one, two, three) = (id, limit); _ = _posts.ExecuteAsync(one, flight => two)")]
    [InlineData("5; Func<CancellationToken, int> again = again; _ = _posts.ExecuteAsync(id, again)")]
    [InlineData("5; string sql = \"UPDATE \" + sql; _ = _posts.ExecuteAsync(id, flight => { System.Data.IDbCommand command = null!; command.CommandText = sql; return 5; })")]
    [InlineData("5; Func<CancellationToken, int> one = two, two = one; _ = _posts.ExecuteAsync(id, two)")]
    [InlineData("5; Activity now = now; _ = _posts.ExecuteAsync($\"{now.Id}\", flight => 5)")]
    [InlineData("_posts?.ExecuteAsync(id, flight => LoadAsync(id + limit, ct), ct)")]
    [InlineData("new Singleflight<dynamic>().ExecuteAsync((dynamic)id, flight => LoadAsync(id, ct), ct)")]
    [InlineData("new Singleflight<(string, T)>().ExecuteAsync((id, other), flight => LoadAsync(id, ct), ct)")]
    [InlineData("_posts.ExecuteAsync(id, unsafe (CancellationToken flight) => { int* at = &limit; return *at; })")]
    [InlineData("_posts.ExecuteAsync(other is { } and string text ? text : id, flight => text)")]
    [InlineData("hybrid.GetOrCreateAsync()")]
    [InlineData("hybrid.GetOrCreateAsync(id, missing)")]
    [InlineData("memory.GetOrCreate(id, entry => missing)")]
    public async Task No_rule_throws(string call)
    {
        Assert.DoesNotContain(await FindAsync(call), diagnostic => diagnostic.Id == "AD0001");
        Assert.DoesNotContain(await FindAsync(call, "= new(missing, "), diagnostic => diagnostic.Id == "AD0001");
    }

    [Fact]
    public async Task Calls_in_initializers_and_top_level_statements_are_read()
    {
        var found = await FindInAsync("""
            var id = args[0];
            var posts = new Singleflight();
            Shared.Posts.ExecuteAsync("all", flight => args);

            static class Shared
            {
                public static Singleflight Posts { get; } = new();
                public static ValueTask<int> Value = Posts.ExecuteAsync($"{Guid.NewGuid()}", flight => 5);
            }
            """);
        Assert.DoesNotContain(found, diagnostic => diagnostic.Id == "AD0001");
        Assert.Contains(found, diagnostic => diagnostic.Id == "RC009");
    }

    [Fact]
    public async Task A_type_in_two_files_is_read_file_by_file()
    {
        var one = CSharpSyntaxTree.ParseText(
            """
            partial class C
            {
                private readonly Singleflight _posts = new();
                private int _page;

                private ValueTask<int> Load(string id, int limit) => _posts.ExecuteAsync(id, flight => LoadAsync(id + limit + _page, flight));

                static Task<int> LoadAsync(string id, CancellationToken ct) => Task.FromResult(5);
            }
            """,
            Code.ParseOptions);
        var other = CSharpSyntaxTree.ParseText("partial class C { void M(string id, int page) { _page = page; _ = Load(id, 5); } }", Code.ParseOptions);
        var found = await Code.Empty.AddSyntaxTrees(one, other).WithAnalyzers(s_analyzers).GetAnalyzerDiagnosticsAsync();
        Assert.DoesNotContain(found, diagnostic => diagnostic.Id == "AD0001");
        Assert.Equal(["limit"], found.Where(diagnostic => diagnostic.Id == "RC002").Select(diagnostic => one.GetText().ToString(diagnostic.Location.SourceSpan)));
    }

    [Fact]
    public async Task Code_that_does_not_know_the_library_is_not_looked_at()
    {
        var tree = CSharpSyntaxTree.ParseText(Source(Found), Code.ParseOptions);
        var references = Code.References.Where(reference => !reference.Display!.EndsWith("RequestCoalescing.dll", StringComparison.Ordinal));
        var compilation = CSharpCompilation.Create("odd", [tree], references, Code.Options);

        Assert.Empty(await compilation.WithAnalyzers(s_analyzers).GetAnalyzerDiagnosticsAsync());
    }

    [Fact]
    public async Task Findings_can_be_suppressed_by_a_pragma_and_by_an_attribute()
    {
        Assert.Equal(["RC001", "RC002"], Ids(await FindAsync(Found)));
        Assert.Equal(["RC002"], Ids(await FindAsync($"5;\n#pragma warning disable RC001\n_ = {Found};\n#pragma warning restore RC001\n_ = 5")));
        Assert.Equal(["RC001"], Ids(await FindAsync(Found, attribute: "[System.Diagnostics.CodeAnalysis.SuppressMessage(\"RequestCoalescing\", \"RC002\")]")));
    }

    [Fact]
    public async Task Generated_code_is_skipped() => Assert.Empty(await FindInAsync("// <auto-generated/>\n" + Source(Found)));

    private static IEnumerable<string> Ids(IEnumerable<Diagnostic> found) => found.Select(diagnostic => diagnostic.Id).Where(id => id.StartsWith("RC", StringComparison.Ordinal)).Order();

    private static Task<ImmutableArray<Diagnostic>> FindAsync(string call, string engine = "= new()", string attribute = "") => FindInAsync(Source(call, engine, attribute));

    private static async Task<ImmutableArray<Diagnostic>> FindInAsync(string code)
    {
        var compilation = Code.Empty.AddSyntaxTrees(CSharpSyntaxTree.ParseText(code, Code.ParseOptions));
        if (code.Contains("args", StringComparison.Ordinal)) compilation = compilation.WithOptions(Code.Options.WithOutputKind(OutputKind.ConsoleApplication));
        return await compilation.WithAnalyzers(s_analyzers).GetAnalyzerDiagnosticsAsync();
    }

    private static string Source(string call, string engine = "= new()", string attribute = "") =>
        $$"""
        class C<T>
        {
            private readonly Singleflight _posts {{engine}};

            {{attribute}}
            void M(string id, int limit, T other, HybridCache hybrid, IMemoryCache memory, CancellationToken ct)
            {
                var self = "";
                self = self + self;
                string Loop() => Loop();
                Task<int> Recursive(CancellationToken flight) => _posts.ExecuteAsync(id, Recursive, flight).AsTask();
                _ = {{call}};
            }

            static Task<int> LoadAsync(string id, CancellationToken ct) => Task.FromResult(5);
        }
        """;
}
