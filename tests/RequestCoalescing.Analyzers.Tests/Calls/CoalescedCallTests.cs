using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Tests.Calls;

/// <summary>A coalesced call is recognised in all its forms, and its parts are found.</summary>
public sealed class CoalescedCallTests
{
    [Theory]
    [InlineData("_posts.ExecuteAsync(id, flight => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, async flight => await LoadAsync(id, flight))", "id, AnonymousFunction, flight, -, -, string")]
    [InlineData("_posts.ExecuteAsync(id, flight => ValueTaskAsync(flight), ct)", "id, AnonymousFunction, flight, -, ct, int")]
    [InlineData("_posts.ExecuteAsync(id, flight => 5, ct)", "id, AnonymousFunction, flight, -, ct, int")]
    [InlineData("_posts.ExecuteAsync(id, async flight => { await Task.Yield(); }, ct)", "id, AnonymousFunction, flight, -, ct, -")]
    [InlineData("_posts.ExecuteAsync(id, async (FlightContext flight) => await LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, (this, id), static (state, flight) => state.Item1.LoadAsync(state.id, flight), ct)", "id, AnonymousFunction, flight, (this, id), ct, string")]
    [InlineData("_posts.ExecuteAsync(cancellationToken: ct, work: flight => LoadAsync(id, flight), key: id)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, ValueTaskAsync, ct)", "id, Ordinary, flight, -, ct, int")]
    [InlineData("_posts.ExecuteAsync(id, LocalAsync, ct)", "id, LocalFunction, inner, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, once, ct)", "id, AnonymousFunction, token, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, twice, ct)", "id, -, -, -, ct, string")]
    [InlineData("_posts.ExecuteAsync(id, given, ct)", "id, -, -, -, ct, string")]
    [InlineData("_posts.ExecuteInScopeAsync(id, (services, flight) => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("SingleflightExtensions.ExecuteAsync(_posts, id, flight => 5, ct)", "id, AnonymousFunction, flight, -, ct, int")]
    [InlineData("new Singleflight().ExecuteAsync(id, flight => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("new Singleflight<object>().ExecuteAsync(id, flight => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("own.ExecuteAsync(id, flight => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    [InlineData("any.ExecuteAsync(id, flight => LoadAsync(id, flight), ct)", "id, AnonymousFunction, flight, -, ct, string")]
    public void All_forms_are_taken_apart(string call, string parts) => Assert.Equal(parts, Assert.Single(Parts(call)));

    [Theory]
    [InlineData("ExecuteAsync(id, flight => LoadAsync(id, flight), ct)")]
    [InlineData("_posts.Forget(id)")]
    [InlineData("_posts.ExecuteAsync()")]
    [InlineData("_posts.ExecuteAsync(id)")]
    [InlineData("_posts.ExecuteAsync(id, flight => Missing(), ct")]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => ValueTaskAsync(flight))")]
    [InlineData("memory.GetOrCreate(id, entry => 5)")]
    public void Other_calls_are_none(string call) => Assert.Empty(Parts(call));

    [Theory]
    [InlineData("hybrid.GetOrCreateAsync(id, flight => ValueTaskAsync(flight), cancellationToken: ct)", "id, AnonymousFunction, flight, -, ct, int")]
    [InlineData("hybrid.GetOrCreateAsync(id, this, (state, flight) => ValueTaskAsync(flight))", "id, AnonymousFunction, flight, this, -, int")]
    [InlineData("hybrid.GetOrCreateAsync($\"post:{id}\", flight => ValueTaskAsync(flight))", "$\"post:{id}\", AnonymousFunction, flight, -, -, int")]
    [InlineData("memory.GetOrCreate(id, entry => 5)", "id, AnonymousFunction, -, -, -, int")]
    [InlineData("memory.GetOrCreateAsync(id, entry => LoadAsync(id, ct))", "id, AnonymousFunction, -, -, -, string")]
    public void Caches_are_looked_at_when_the_setting_says_so(string call, string parts) =>
        Assert.Equal(parts, Assert.Single(Parts(call, caches: true)));

    [Fact]
    public void The_body_of_a_method_in_the_same_file_is_found()
    {
        var call = Assert.Single(Calls("_posts.ExecuteAsync(id, ValueTaskAsync, ct)", caches: false));
        Assert.Contains(call.Work.Body!.Descendants(), operation => operation is ILiteralOperation { ConstantValue.Value: 7 });
    }

    private static IEnumerable<string> Parts(string call, bool caches = false) => Calls(call, caches).Select(found => string.Join(
        ", ",
        Text(found.Key),
        found.Work.Method?.MethodKind.ToString() ?? "-",
        found.Work.Flight?.Name ?? "-",
        Text(found.State),
        Text(found.Token),
        found.Result?.ToDisplayString() ?? "-"));

    private static IEnumerable<CoalescedCall> Calls(string call, bool caches)
    {
        var tree = CSharpSyntaxTree.ParseText(
            $$"""
            class Own : SingleflightBase<string>
            {
                public override bool Forget(string key) => false;
            }

            class C
            {
                private readonly ISingleflight _posts = new Singleflight();

                void M<T>(string id, Own own, T any, HybridCache hybrid, IMemoryCache memory, Func<CancellationToken, Task<string>> given, CancellationToken ct)
                    where T : ISingleflight<string>
                {
                    Func<CancellationToken, Task<string>> once = token => LoadAsync(id, token);
                    var twice = once;
                    twice = given;
                    Task<string> LocalAsync(CancellationToken inner) => LoadAsync(id, inner);
                    _ = {{call}};
                }

                Task<string> LoadAsync(string id, CancellationToken ct) => Task.FromResult(id);

                ValueTask<int> ValueTaskAsync(CancellationToken flight) => new(7);

                ValueTask<int> ExecuteAsync(string key, Func<CancellationToken, Task<string>> work, CancellationToken ct) => default;
            }
            """,
            Code.ParseOptions);
        var compilation = Code.Empty.AddSyntaxTrees(tree);
        var model = compilation.GetSemanticModel(tree);
        var options = caches ? Settings.CheckCaches : Settings.None;
        var calls = CoalescedCalls.In(compilation, caches: true)!;
        return tree.GetRoot().DescendantNodes().OfType<InvocationExpressionSyntax>()
            .Select(node => model.GetOperation(node))
            .OfType<IInvocationOperation>()
            .Select(invocation => calls.Find(invocation, options))
            .OfType<CoalescedCall>();
    }

    private static string Text(IOperation? operation) => operation?.Syntax.ToString() ?? "-";
}
