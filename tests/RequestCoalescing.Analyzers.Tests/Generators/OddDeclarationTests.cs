namespace RequestCoalescing.Analyzers.Tests.Generators;

/// <summary>The code for unusual declarations compiles without a warning, or a rule says why there is none.</summary>
public sealed class OddDeclarationTests
{
    private const string Core = "Task<string> GetCoreAsync(string id, CancellationToken flight) => Task.FromResult(id);";

    private const string Get = "[Coalesce] public partial Task<string> GetAsync(string id, CancellationToken token);";

    [Theory]
    [InlineData("[CoalescingKey] public partial record struct K(string writer, int? part1, int? part2);")]
    [InlineData("[CoalescingKey] public partial record struct K(string other, DateTime? hash, DateTimeOffset format);")]
    [InlineData("[CoalescingKey] public partial record struct K(string @class, int @event, DateTime @this);")]
    [InlineData("[CoalescingKey] internal readonly partial record struct @class(string Id, DateTime At);")]
    [InlineData("namespace @namespace.@class; [CoalescingKey] public partial record struct K(@enum Value, K2? Inner); public enum @enum : byte { A } [CoalescingKey] public partial record struct K2(decimal A, Guid B, Half C, nint D, char E);")]
    [InlineData("public partial interface I { partial record R { partial class @class { [CoalescingKey] internal partial record struct K(string Id); } } }")]
    [InlineData("#nullable disable\n[CoalescingKey] public partial record struct K(string Id, DateTime At);")]
    [InlineData("[CoalescingKey] public partial record struct K(in string Id, int Limit = 5);")]
    public void A_key_with_odd_names_and_places(string source) => Assert.NotEmpty(Run.Generate(source));

    [Theory]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string state, int target, int flight, int Item1, int Rest, CancellationToken token); Task<string> GetCoreAsync(string state, int target, int flight, int Item1, int Rest, CancellationToken token) => Task.FromResult(state);")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string @class, CancellationToken @default, int @this); Task<string> GetCoreAsync(string @class, CancellationToken flight, int @this) => Task.FromResult(@class);")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id, [NotInKey(\"for the log\")] params object[] more); Task<string> GetCoreAsync(string id, object[] more) => Task.FromResult(id);")]
    [InlineData("[Coalesce] public partial Task<string> GetAsync(string id = \"a\", int limit = 5, CancellationToken token = default); Task<string> GetCoreAsync(string id, int limit, CancellationToken flight) => Task.FromResult(id);")]
    [InlineData("[Coalesce] public partial Task<string?> GetAsync(string? id, [NotInKey(reason: \"x\")] (int A, string? B) pair); Task<string?> GetCoreAsync(string? id, (int A, string? B) pair) => Task.FromResult(id);")]
    [InlineData("[Coalesce] public partial ValueTask<(string A, int B)> GetAsync(int a, int A, int _a, int aKey, int equals, int toString); Task<(string A, int B)> GetCoreAsync(int a, int A, int _a, int aKey, int equals, int toString) => Task.FromResult((\"\", a));")]
    [InlineData("[Coalesce] public partial Task @event(); Task eventCore() => Task.CompletedTask;")]
    [InlineData("[Coalesce] public partial Task GetAsync(int await, int getKey); Task GetCoreAsync(int @await, int getKey) => Task.CompletedTask;")]
    [InlineData("[Coalesce] public partial Task Async(); Task AsyncCore() => Task.CompletedTask;")]
    [InlineData("[Coalesce] public partial Task _getAsync(int _); Task _getCoreAsync(int _) => Task.CompletedTask;")]
    [InlineData("int _getFlights; int GetKey; int Use() => _getFlights++ + GetKey++; " + Get + Core)]
    [InlineData("ISingleflight Posts { get; } = null!; [Coalesce(Engine = nameof(Posts))] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core)]
    [InlineData("[Coalesce] public partial Task<int> GetAsync(int a, int b, int c, int d, int e, int f, int g, int h, int i); Task<int> GetCoreAsync(int a, int b, int c, int d, int e, int f, int g, int h, int i) => Task.FromResult(i);")]
    [InlineData("[Coalesce] protected internal virtual partial Task<int> GetAsync(DateTimeOffset at, decimal price, DayOfWeek? day, Guid id); protected virtual Task<int> GetCoreAsync(DateTimeOffset at, decimal price, DayOfWeek? day, Guid id) => Task.FromResult(1);")]
    public void A_method_with_odd_names_and_parameters(string members) => Assert.Single(Run.Generate($"partial class C {{ {members} }}"));

    [Theory]
    [InlineData("partial class C { " + Get + Core + " } partial class C<T> { " + Get + Core + " } partial class C<T, U> { " + Get + Core + " }", 3)]
    [InlineData("class B { public bool ForgetGet(string id) => true; protected int GetKey => 1; protected int _getFlights => 1; } partial class C : B { " + Get + Core + " }", 1)]
    [InlineData("[CoalescingKey] partial record struct K(string Id); partial class C(ISingleflight<K> e) { [Coalesce(Engine = nameof(e))] public partial Task<string> GetAsync(string id, [NotInKey(\"x\")] int more, CancellationToken token); Task<string> GetCoreAsync(string id, int more, CancellationToken flight) => Task.FromResult(id); }", 2)]
    [InlineData("public interface IBase { [Coalesce] Task<string> GetAsync(string id); } public interface IItems : IBase { [Coalesce] Task<string> FindAsync(string id); }", 2)]
    [InlineData("partial class GetKey { " + Get + Core + " }", 1)]
    [InlineData("abstract class B { public abstract Task<string> GetAsync(string id, CancellationToken token); protected " + Core + " } sealed partial class C : B { [Coalesce] public sealed override partial Task<string> GetAsync(string id, CancellationToken token); }", 1)]
    [InlineData("partial record struct R<T> { internal partial class @class<@event> { " + Get + Core + " } }", 1)]
    [InlineData("#nullable disable\npartial class C { " + Get + Core + " }", 1)]
    public void A_method_in_an_odd_class(string source, int files) => Assert.Equal(files, Run.Generate(source).Length);

    [Theory]
    [InlineData("[Coalesce] Task<string> @event(string @class, CancellationToken @default, int state);")]
    [InlineData("[Coalesce] Task<string> GetAsync(string _inner, string _flights, string target);")]
    [InlineData("[Coalesce] Task<string> GetAsync(string id = \"a\"); [Obsolete(\"old\")] void Old(); [Obsolete] int Older { get; } [Obsolete] event Action? Oldest;")]
    [InlineData("[Coalesce] Task<string> GetAsync(string id); T? Find<T>(T? one) where T : notnull, new(); ref readonly int At(in int a, ref int b, out int c, params ReadOnlySpan<int> d); int this[int @class] { get; set; } void Span<T>(scoped Span<T> a) where T : unmanaged; void Only(ref readonly int a); int Set { set; }")]
    [InlineData("[Coalesce] Task<string> GetAsync(string id); void Default() { } protected void Own() { } sealed int Sum() => 1; private int Half() => 2; static int Zero() => 0;")]
    [InlineData("[Coalesce] Task GetAsync(); Task<T> FirstAsync<T>() where T : class?; Task<T?> SecondAsync<T>() where T : struct; Task<T?> ThirdAsync<T>(); T? Fourth<T>(T?[] many) where T : Exception; void Fifth<T>(T one) where T : class; T? Sixth<T>() where T : IDisposable; (T?, int) Seventh<T>() where T : notnull;")]
    public void An_interface_with_odd_members(string members) => Assert.Single(Run.Generate($"public interface IPosts {{ {members} }}"));

    [Theory]
    [InlineData("[CoalescingKey] public partial record struct K(DateTime At);", "At.Kind == other.At.Kind")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); int Default() => 5; }", "IPosts.Default() => this._inner.Default();")]
    [InlineData("public interface Items { [Coalesce] Task<string> GetAsync(string id); }", "class CoalescedItems :")]
    public void The_code_contains(string source, string expected) => Assert.Contains(expected, Assert.Single(Run.Generate(source)).SourceText.ToString(), StringComparison.Ordinal);

    [Fact]
    public void An_interface_with_bases_that_have_members_of_one_name() => Assert.Single(Run.Generate("""
        public interface IOne { int Count { get; } Task SaveAsync(int id); }
        public interface ITwo<T> { T Count { get; } Task SaveAsync(T id); }
        public interface IPosts : IOne, ITwo<string?>, IDisposable
        {
            [Coalesce] Task<string> GetAsync(string id);
            void IDisposable.Dispose() { }
        }
        """));

    [Theory]
    [InlineData("[CoalescingKey] public partial record struct K(string Id) { public string Id { get => field.Trim(); } = Id; }", "RC103: The key 'K' computes 'Id', so that it is not a part.*")]
    [InlineData("[CoalescingKey] public partial record struct K(string Id) { public bool Equals(string other) => Id == other; }")]
    [InlineData("partial class C { [Coalesce] public partial Task<int> GetAsync([NotInKey(\"x\")] Span<int> a); Task<int> GetCoreAsync(Span<int> a) => Task.FromResult(1); }", "RC102: *")]
    [InlineData("partial class C { [Coalesce] public partial Task<IAsyncDisposable> GetAsync(string id); Task<IAsyncDisposable> GetCoreAsync(string id) => throw new Exception(); }", "RC108: *")]
    [InlineData("partial class C { [Coalesce] public partial Task<StringReader> GetAsync(string id); Task<StringReader> GetCoreAsync(string id) => throw new Exception(); }", "RC107: *")]
    [InlineData("partial struct CoalescedPosts; public interface IPosts { [Coalesce] Task<string> GetAsync(string id); }", "RC115: *")]
    [InlineData("file interface IPosts { [Coalesce] Task<string> GetAsync(string id); }", "RC115: *")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); [Coalesce] Task<string> Get(string id); }", "RC114: *")]
    [InlineData("static partial class C { [Coalesce] public static partial Task<string> GetAsync(this string id, CancellationToken token); static " + Core + " }", "RC105: *")]
    [InlineData("partial class C { " + Get + " Task<string> GetCoreAsync<T>(string id, CancellationToken flight) => Task.FromResult(id); }", "RC111: *")]
    [InlineData("partial class C { [Coalesce] public static partial Task<string> GetAsync(string id, CancellationToken token); " + Core + " }", "RC111: *")]
    [InlineData("partial class C { " + Get + " Task<string> GetCoreAsync(string id, CancellationToken flight, FlightContext more) => Task.FromResult(id); }", "RC111: *")]
    [InlineData("partial class C { " + Get + " Task<string> GetCoreAsync(string id) => Task.FromResult(id); }", "RC111: *")]
    [InlineData("partial class C { " + Get + " Task<string> GetCoreAsync(in string id, CancellationToken flight) => Task.FromResult(id); }", "RC111: *")]
    [InlineData("partial class O<T> { partial class C { ISingleflight e = null!; [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token); " + Core + " } }", "RC113: *")]
    [InlineData("class B { " + Core + " } partial class C : B { " + Get + " }", "RC111: *")]
    [InlineData("class B { ISingleflight e = null!; } partial class C : B { [Coalesce(Engine = \"e\")] public partial Task<string> GetAsync(string id, CancellationToken token); " + Core + " }", "RC113: 'e' cannot be the engine of 'GetAsync': the class has no field, property or parameter of that name.")]
    [InlineData("partial class C<TEngine>(TEngine e) where TEngine : ISingleflight { [Coalesce(Engine = nameof(e))] public partial Task<string> GetAsync(string id, CancellationToken token);" + Core + "}", "RC113: 'e' cannot be the engine of 'GetAsync': it is not an ISingleflight<TKey>.")]
    [InlineData("public interface IPosts { [Coalesce] Task<string> GetAsync(string id); protected void Own(); }", "RC115: No class can be generated for the interface 'IPosts': 'Own' is protected, so that the class cannot pass the call on.")]
    [InlineData("partial class C(ISingleflight id) { [Coalesce(Engine = nameof(id))] public partial Task<string> GetAsync(string id, CancellationToken token); " + Core + " }", "RC113: 'id' cannot be the engine of 'GetAsync': a parameter of the method has the same name.")]
    [InlineData("partial class C { " + Get + Core + " [Coalesce] public partial Task<string> getAsync(string id); Task<string> getCoreAsync(string id) => Task.FromResult(id); }", "RC114: *", "RC114: *")]
    [InlineData("unsafe partial class C { [Coalesce] public partial Task<int> GetAsync([NotInKey(\"x\")] int* a); Task<int> GetCoreAsync(int* a) => Task.FromResult(1); }", "RC102: *")]
    public async Task A_declaration_that_no_code_fits_is_found(string source, params string[] expected)
    {
        var found = await Run.AnalyzeAsync(source);
        Assert.Equal(expected.Length, found.Length);
        Assert.All(expected.Zip(found), pair => Assert.StartsWith(pair.First.TrimEnd('*'), pair.Second, StringComparison.Ordinal));
    }
}
