using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Generators;

namespace RequestCoalescing.Analyzers.Tests.Generators;

/// <summary>The analyzer reports declarations that no code can be generated for, and says why.</summary>
public sealed class RuleTests
{
    private const string Core = "Task<string> GetCoreAsync(string id, CancellationToken flight) => Task.FromResult(id);";

    [Theory]
    [InlineData("[CoalescingKey] public partial struct K;", "RC101: No text can be generated for the key 'K': it is not a record struct.")]
    [InlineData("[CoalescingKey] public record struct K(int A);", "RC101: No text can be generated for the key 'K': it is not partial.")]
    [InlineData("class C { [CoalescingKey] public partial record struct K(int A); }", "RC101: No text can be generated for the key 'K': 'C' is not partial.")]
    [InlineData("[CoalescingKey] public partial record struct K<T>(int A);", "RC101: No text can be generated for the key 'K': it is generic, or within a generic type. Keys of different types would have the same text.")]
    [InlineData("partial class C<T> { [CoalescingKey] public partial record struct K(int A); }", "RC101: No text can be generated for the key 'K': it is generic, or within a generic type. Keys of different types would have the same text.")]
    [InlineData("[CoalescingKey] file partial record struct K(int A);", "RC101: No text can be generated for the key 'K': it is visible in its file only, where no code can be generated.")]
    [InlineData("[CoalescingKey] public partial record struct K;", "RC101: No text can be generated for the key 'K': it has no parts. Declare them as parameters: record struct K(string Id).")]
    [InlineData("[CoalescingKey] public partial record struct K(int[] A);", "RC102: 'A' of type 'int[]' cannot be a part of a key. Two arrays are never equal. Pass what decides the result: a count, a joined text, or single values.")]
    [InlineData("[CoalescingKey] public partial record struct K(List<int> A);", "RC102: 'A' of type 'List<int>' cannot be a part of a key. Two collections are never equal. Pass what decides the result: a count, a joined text, or single values.")]
    [InlineData("[CoalescingKey] public partial record struct K(object? A);", "RC102: 'A' of type 'object?' cannot be a part of a key. It has no text that identifies it. Use a string, a number, a date, a Guid, an enum, or a record struct with [CoalescingKey].")]
    [InlineData("public record struct P(int A); [CoalescingKey] public partial record struct K(P A);", "RC102: 'A' of type 'P' cannot be a part of a key. Use a string, a number, a date, a Guid, an enum, or a record struct with [CoalescingKey].")]
    [InlineData("[CoalescingKey] public partial record struct K(int A) { public int B { get; init; } }", "RC103: The key 'K' stores 'B', which its text would lack. Declare it as a parameter of the record.")]
    [InlineData("[CoalescingKey] public partial record struct K(int A) { private int _b = 1; }", "RC103: The key 'K' stores '_b', which its text would lack. Declare it as a parameter of the record.")]
    [InlineData("[CoalescingKey] public partial record struct K(int A) { public int A => 1; }", "RC103: The key 'K' computes 'A', so that it is not a part. Keep it as the record declares it, or give the property an initializer.")]
    [InlineData("[CoalescingKey] public partial record struct K(int A) { public bool Equals(K other) => true; public override int GetHashCode() => 1; }", "RC103: The key 'K' writes its own Equals, which its text cannot follow. Remove it, or normalize a part where it is stored.")]
    [InlineData("[CoalescingKey] public partial record struct K(int A) { public override string ToString() => \"\"; }", "RC103: The key 'K' writes its own ToString, in place of the text that is generated. Remove it.")]
    [InlineData("[CoalescingKey(Name = \"a(b\")] public partial record struct K(int A);", "RC104: 'a(b' cannot be the name of a key. Use letters, digits, and the characters . - _ : /")]
    [InlineData("[CoalescingKey(Name = \"\")] public partial record struct K(int A);", "RC104: '' cannot be the name of a key. Use letters, digits, and the characters . - _ : /")]
    public async Task A_key_that_is_declared_wrongly(string source, string expected) => Assert.Equal([expected], await Run.AnalyzeAsync(source));

    [Theory]
    [InlineData("[CoalescingKey] public readonly partial record struct K(string? A, DateTime B) { public static int C; public int D => 1; public int E() => 2; }")]
    [InlineData("[CoalescingKey] public partial record struct K(string A) { public string A { get; } = A.Trim(); }")]
    [InlineData("[CoalescingKey] public partial record struct K(string A) { public K(int a) : this(a.ToString()) { } }")]
    [InlineData("[CoalescingKey(Name = \"a.b-c_d:e/f9\")] public partial record struct K(L A); [CoalescingKey] public partial record struct L(Guid A, K2? B); [CoalescingKey] public partial record struct K2(int A);")]
    public async Task A_key_that_is_declared_rightly(string source)
    {
        Assert.Empty(await Run.AnalyzeAsync(source));
        Assert.NotEmpty(Run.Generate(source));
    }

    [Theory]
    [InlineData("[Coalesce] public Task<string> GetAsync(string id, CancellationToken token) => throw new Exception();" + Core, "RC105: The method 'GetAsync' cannot be coalesced: it is not partial. Declare it as partial and without a body, and move its body to a method with Core in its name.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token); public partial Task<string> GetAsync(string id, CancellationToken token) => throw new Exception();" + Core, "RC105: The method 'GetAsync' cannot be coalesced: it has a body already. Name the method that does the work GetCoreAsync.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync<T>(string id, CancellationToken token);" + Core, "RC105: The method 'GetAsync' cannot be coalesced: it is generic. Write a method for each type, or coalesce the calls by hand.")]
    [InlineData("[Coalesce] public partial void Get(string id);", "RC106: The method 'Get' returns 'void'. A coalesced method returns Task, Task<T>, ValueTask or ValueTask<T>.")]
    [InlineData("[Coalesce] public partial string Get(string id);", "RC106: The method 'Get' returns 'string'. A coalesced method returns Task, Task<T>, ValueTask or ValueTask<T>.")]
    [InlineData("[Coalesce] public partial IAsyncEnumerable<int> GetAsync(string id, CancellationToken token);", "RC106: The method 'GetAsync' returns 'IAsyncEnumerable<int>'. A coalesced method returns Task, Task<T>, ValueTask or ValueTask<T>.")]
    [InlineData("[Coalesce] public partial Task<FileStream> GetAsync(string id, CancellationToken token); Task<FileStream> GetCoreAsync(string id, CancellationToken flight) => throw new Exception();", "RC107: All callers of 'GetAsync' would share one 'FileStream', which only one of them can read. Return its content instead.")]
    [InlineData("[Coalesce] public partial Task<IAsyncEnumerable<int>> GetAsync(string id, CancellationToken token); Task<IAsyncEnumerable<int>> GetCoreAsync(string id, CancellationToken flight) => throw new Exception();", "RC107: All callers of 'GetAsync' would share one 'IAsyncEnumerable<int>', which only one of them can read. Return its content instead.")]
    [InlineData("[Coalesce] public partial Task<Timer> GetAsync(string id, CancellationToken token); Task<Timer> GetCoreAsync(string id, CancellationToken flight) => throw new Exception();", "RC108: All callers of 'GetAsync' share one 'Timer'. If one of them disposes it, the others lose it. Return its content instead.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(ref string id, CancellationToken token);", "RC111: *", "RC109: The parameter 'id' of 'GetAsync' is passed by reference. The work of a flight outlives the call, so that it can take values only.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(in int id, CancellationToken token); Task<string> GetCoreAsync(int id, CancellationToken flight) => throw new Exception();", "RC109: The parameter 'id' of 'GetAsync' is passed by reference. The work of a flight outlives the call, so that it can take values only.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken a, CancellationToken b);", "RC110: The method 'GetAsync' has more than one CancellationToken. One token lets the caller leave; the work gets that of the flight.", "RC111: *")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string? id, CancellationToken token);", "RC111: The method 'GetAsync' has no work to coalesce. Write it as: private async Task<string> GetCoreAsync(string? id, CancellationToken flight)")]
    [InlineData("[Coalesce] public static partial ValueTask Get(int id); void GetCore(int id) { }", "RC111: The method 'Get' has no work to coalesce. Write it as: private static async ValueTask GetCore(int id)")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token); Task<string> GetCoreAsync(CancellationToken flight, string id) => throw new Exception();", "RC111: *")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token); Task<int> GetCoreAsync(string id, CancellationToken flight) => throw new Exception();", "RC111: *")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync([NotInKey(\" \")] string id, CancellationToken token);" + Core, "RC112: Say in [NotInKey(\"…\")] why the result of 'GetAsync' does not depend on 'id', or remove the attribute")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string[] id, CancellationToken token); Task<string> GetCoreAsync(string[] id, CancellationToken flight) => throw new Exception();", "RC102: 'id' of type 'string[]' cannot be a part of a key. Two arrays are never equal. Pass what decides the result: a count, a joined text, or single values. If the result does not depend on it, mark it with [NotInKey(\"why\")].")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(Stream id, CancellationToken token); Task<string> GetCoreAsync(Stream id, CancellationToken flight) => throw new Exception();", "RC102: *")]
    [InlineData("[Coalesce(Name = \" \")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core, "RC104: ' ' cannot be the name of a key. Use letters, digits, and the characters . - _ : /")]
    [InlineData("[Coalesce(Engine = \"none\")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core, "RC113: 'none' cannot be the engine of 'GetAsync': the class has no field, property or parameter of that name.")]
    [InlineData("int e; [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core, "RC113: 'e' cannot be the engine of 'GetAsync': it is not an ISingleflight<TKey>.")]
    [InlineData("ISingleflight<long> e = null!; [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core, "RC113: 'e' cannot be the engine of 'GetAsync': its keys are neither strings nor a record struct with [CoalescingKey].")]
    [InlineData("ISingleflight<K> e = null!; [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core, "RC113: 'e' cannot be the engine of 'GetAsync': the parts of its key 'K' are not the parameters of the method. They need the same names and types.")]
    [InlineData("ISingleflight e = null!; [Coalesce(Engine = \"e\")] public static partial Task<string> GetAsync(string id, CancellationToken token); static " + Core, "RC113: 'e' cannot be the engine of 'GetAsync': it belongs to an object, and the method is static.")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token); [Coalesce] public partial Task<string> GetAsync(int id, CancellationToken token); Task<string> GetCoreAsync(int id, CancellationToken flight) => throw new Exception();" + Core, "RC114: 'GetAsync' and another coalesced method have the same name, so that they would share their results", "RC114: *")]
    public async Task A_method_that_is_declared_wrongly(string members, params string[] expected)
    {
        var found = await Run.AnalyzeAsync($"[CoalescingKey] partial record struct K(string A, int B); partial class C {{ {members} }}");
        Assert.Equal(expected.Length, found.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            if (expected[i].EndsWith('*')) Assert.StartsWith(expected[i].TrimEnd('*'), found[i], StringComparison.Ordinal);
            else Assert.Equal(expected[i], found[i]);
        }
    }

    [Theory]
    [InlineData("class C { [Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core + "}", "RC105: The method 'GetAsync' cannot be coalesced: 'C' is not partial.")]
    [InlineData("partial struct C { [Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core + "}", "RC105: The method 'GetAsync' cannot be coalesced: it is not a method of a class. A record or struct is copied and compared, and its engine with it.")]
    [InlineData("partial record C { [Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core + "}", "RC105: The method 'GetAsync' cannot be coalesced: it is not a method of a class. A record or struct is copied and compared, and its engine with it.")]
    [InlineData("partial class C<T> { ISingleflight e = null!; [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core + "}", "RC113: 'e' cannot be the engine of 'GetAsync': its keys are strings, and the class is generic: objects of different types would have the same keys. Use an engine whose keys are a generated key that names the type.")]
    [InlineData("public interface I<T> { [Coalesce] Task<string> GetAsync(string id); }", "RC115: No class can be generated for the interface 'I': it is generic.")]
    [InlineData("public class C { public interface I { [Coalesce] Task<string> GetAsync(string id); } }", "RC115: No class can be generated for the interface 'I': it is declared in another type. Declare it in a namespace.")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); static abstract int Count { get; } }", "RC115: No class can be generated for the interface 'IPosts': 'Count' is static, and the class has no type to pass the call on to.")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); int Count { get; init; } }", "RC115: No class can be generated for the interface 'IPosts': 'Count' can be set only while the object is created.")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); } public class CoalescedPosts;", "RC115: No class can be generated for the interface 'IPosts': the name of its class, 'CoalescedPosts', is taken by a type that is not a partial class.")]
    [InlineData("public interface IPosts { [Coalesce(Engine = \"e\")] Task<string> GetAsync(string id); }", "RC113: 'e' cannot be the engine of 'GetAsync': the class of an interface gets its engine in its constructor.")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id) => Task.FromResult(id); }", "RC105: The method 'GetAsync' cannot be coalesced: it has a body. Mark methods that the class behind the interface implements.")]
    [InlineData("public interface IPosts { [Coalesce] Task<Stream> GetAsync(string id); }", "RC107: All callers of 'GetAsync' would share one 'Stream', which only one of them can read. Return its content instead.")]
    public async Task A_type_that_is_declared_wrongly(string source, string expected) => Assert.Equal([expected], await Run.AnalyzeAsync(source));

    [Fact]
    public async Task Two_methods_with_one_typed_engine() => Assert.Equal(
        ["RC114: 'GetAsync' and another coalesced method use 'e' with keys of the same type, so that they would share their results", "RC114: 'FindAsync' and another coalesced method use 'e' with keys of the same type, so that they would share their results"],
        await Run.AnalyzeAsync("""
            [CoalescingKey] partial record struct K(string Id);
            partial class C(ISingleflight<K> e)
            {
                [Coalesce(Engine = nameof(e))] public partial Task<string> GetAsync(string id, CancellationToken token);
                [Coalesce(Engine = nameof(e))] public partial Task<string> FindAsync(string id, CancellationToken token);
                Task<string> GetCoreAsync(string id, CancellationToken flight) => Task.FromResult(id);
                Task<string> FindCoreAsync(string id, CancellationToken flight) => Task.FromResult(id);
            }
            """));

    [Fact]
    public async Task A_warning_can_be_suppressed_and_the_code_is_generated_all_the_same()
    {
        const string Source = """
            partial class C
            {
            #pragma warning disable RC108
                [Coalesce] public partial Task<Timer> GetAsync(string id, CancellationToken token);
            #pragma warning restore RC108
                Task<Timer> GetCoreAsync(string id, CancellationToken flight) => throw new Exception();
            }
            """;
        Assert.Empty(await Run.AnalyzeAsync(Source));
        Assert.Single(Run.Generate(Source));
    }
}
