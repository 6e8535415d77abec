using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Collections.Specialized;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Verification;

/// <summary>Which results count as equal, which as different, and which as unverifiable. A false alarm could make operators turn coalescing off.</summary>
public sealed class ResultComparisonTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ServiceProvider _provider;
    private readonly ISingleflight _singleflight;

    public ResultComparisonTests()
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleflight("weather", options => options.TimeProvider = _clock).WithVerification(1);
        _provider = services.BuildServiceProvider();
        _singleflight = _provider.GetRequiredKeyedService<ISingleflight>("weather");
    }

    public static TheoryData<string, Func<object?>> Equal => new()
    {
        { "a record with a list", () => new Page("a", [1, 2]) },
        { "a plain class", () => new Plain { Name = "a", Tags = ["x"], Next = new Plain { Name = "b" } } },
        { "a class with a lock, an event and a private list", () => new Guarded(1) },
        { "a set", () => new HashSet<int>([.. Enumerable.Range(0, 100)]) },
        { "a set of records with lists", () => new HashSet<Page>([new("a", [1]), new("b", [2])]) },
        { "an immutable array", () => ImmutableArray.Create(1, 2) },
        { "memory", () => new ReadOnlyMemory<byte>([1, 2, 3]) },
        { "memory of numbers", () => new Memory<long>([1, 2, 3]) },
        { "an array segment", () => new ArraySegment<int>([1, 2, 3], 1, 2) },
        { "named values", () => new NameValueCollection { { "a", "1" }, { "a", "2" }, { null, "3" } } },
        { "a list of its own", () => new Paged { 1, 2 } },
        { "a list in a list", () => new List<List<int>> { new() { 1 } } },
        { "a grid", () => new[,] { { 1, 2 }, { 3, 4 } } },
        { "pairs", () => new List<KeyValuePair<string, List<int>>> { new("a", [1]) } },
        { "tuples", () => (1, new List<int> { 1 }, Tuple.Create("a", new[] { 1 })) },
        { "an anonymous object", () => new { Name = "a", Items = new[] { 1, 2 } } },
        { "a frozen dictionary", () => new Dictionary<string, int[]> { ["a"] = [1] }.ToFrozenDictionary() },
        { "a collection of its own", () => new Ring([1, 2]) },
        { "a concurrent bag", () => new ConcurrentBag<int>([1, 2]) },
        { "a queue", () => new Queue<int>([1, 2]) },
        { "a default immutable array", () => default(ImmutableArray<int>) },
        { "bits", () => new BitArray([true, false]) },
        { "JSON", () => JsonDocument.Parse("""{"a":[1,2]}""").RootElement },
        { "not a number", () => double.NaN },
        { "null", () => null },
    };

    public static TheoryData<string, Func<object>, Func<object>> Reordered => new()
    {
        { "sets", () => new HashSet<int> { 1, 2, 3 }, () => new HashSet<int> { 3, 2, 1 } },
        { "dictionaries", () => new Dictionary<string, int[]> { ["a"] = [1], ["b"] = [2] }, () => new Dictionary<string, int[]> { ["b"] = [2], ["a"] = [1] } },
        { "dictionaries by keys without equality", () => new Dictionary<Plain, int> { [new() { Name = "a" }] = 1, [new() { Name = "b" }] = 2 }, () => new Dictionary<Plain, int> { [new() { Name = "b" }] = 2, [new() { Name = "a" }] = 1 } },
        { "named values", () => new NameValueCollection { { "a", "1" }, { "b", "2" } }, () => new NameValueCollection { { "b", "2" }, { "a", "1" } } },
        { "sets of elements without equality", () => new HashSet<Plain> { new() { Name = "a" }, new() { Name = "b" } }, () => new HashSet<Plain> { new() { Name = "b" }, new() { Name = "a" } } },
        { "lists of different types", () => new List<int> { 1, 2 }, () => new[] { 1, 2 } },
        { "JSON", () => JsonDocument.Parse("""{"a":1,"b":2}""").RootElement, () => JsonDocument.Parse("""{"b":2,"a":1}""").RootElement },
    };

    public static TheoryData<string, Func<object?>, Func<object?>> Different => new()
    {
        { "records", () => new Page("a", [1]), () => new Page("b", [1]) },
        { "lists in records", () => new Page("a", [1]), () => new Page("a", [2]) },
        { "plain classes", () => new Plain { Name = "a" }, () => new Plain { Name = "b" } },
        { "members of plain classes", () => new Plain { Next = new Plain { Name = "a" } }, () => new Plain { Next = new Plain { Name = "b" } } },
        { "public fields", () => new Guarded(1) { Shown = 1 }, () => new Guarded(1) { Shown = 2 } },
        { "sets", () => new HashSet<int> { 1, 2 }, () => new HashSet<int> { 1, 3 } },
        { "sets of elements without equality", () => new HashSet<Plain> { new() { Name = "a" } }, () => new HashSet<Plain> { new() { Name = "b" } } },
        { "dictionaries", () => new Dictionary<string, int> { ["a"] = 1 }, () => new Dictionary<string, int> { ["a"] = 2 } },
        { "keys of dictionaries", () => new Dictionary<string, int> { ["a"] = 1 }, () => new Dictionary<string, int> { ["b"] = 1 } },
        { "the order of lists", () => new List<int> { 1, 2 }, () => new List<int> { 2, 1 } },
        { "the order of queues", () => new Queue<int>([1, 2]), () => new Queue<int>([2, 1]) },
        { "memory", () => new ReadOnlyMemory<byte>([1]), () => new ReadOnlyMemory<byte>([2]) },
        { "named values", () => new NameValueCollection { { "a", "1" } }, () => new NameValueCollection { { "a", "2" } } },
        { "properties of a list", () => new Paged { Total = 1 }, () => new Paged { Total = 2 } },
        { "properties of named values", () => new Headers { Status = 1 }, () => new Headers { Status = 2 } },
        { "shapes of grids", () => new[,] { { 1, 2 } }, () => new[,] { { 1 }, { 2 } } },
        { "types", () => new Page("a", []), () => new Plain { Name = "a" } },
        { "custom equality", () => new Identified(1), () => new Identified(2) },
        { "null and a value", () => null, () => "a" },
        { "JSON", () => JsonDocument.Parse("[1]").RootElement, () => JsonDocument.Parse("[2]").RootElement },
    };

    public static TheoryData<string, Func<object>, Func<object>> Unknown => new()
    {
        { "an opaque type", () => new StringBuilder("a"), () => new StringBuilder("a") },
        { "an opaque type in a record", () => new Holder(new StringBuilder("a")), () => new Holder(new StringBuilder("a")) },
        { "an opaque type in a set", () => new HashSet<Holder> { new(new StringBuilder("a")) }, () => new HashSet<Holder> { new(new StringBuilder("a")) } },
        { "private state", () => new Guarded(1), () => new Guarded(2) },
        { "a lazily filled property", () => new Lazily().Asked(), () => new Lazily() },
        { "a sequence that can be enumerated once", () => Once(), () => Once() },
        { "a proxy", () => new Plain { Name = "a" }, () => new PlainProxy { Name = "a" } },
    };

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Theory]
    [MemberData(nameof(Equal))]
    public async Task Results_with_the_same_content_are_equal(string what, Func<object?> make) => Assert.Equal((what, 0L, 0L), await FollowAsync(what, make, make));

    [Theory]
    [MemberData(nameof(Reordered))]
    public async Task Results_that_differ_only_in_an_irrelevant_order_are_equal(string what, Func<object> shared, Func<object> own) => Assert.Equal((what, 0L, 0L), await FollowAsync(what, shared, own));

    [Theory]
    [MemberData(nameof(Different))]
    public async Task Differences_are_found(string what, Func<object?> shared, Func<object?> own) => Assert.Equal((what, 1L, 0L), await FollowAsync(what, shared, own));

    [Theory]
    [MemberData(nameof(Unknown))]
    public async Task Results_that_cannot_be_compared_are_counted_as_unverifiable(string what, Func<object> shared, Func<object> own) => Assert.Equal((what, 0L, 1L), await FollowAsync(what, shared, own));

    [Fact]
    public async Task An_unverifiable_type_is_logged_once_with_advice()
    {
        for (var i = 0; i < 2; i++) await FollowAsync("a", static () => new Holder(new StringBuilder()), static () => new Holder(new StringBuilder()));
        var logged = Assert.Single(_provider.GetFakeLogCollector().GetSnapshot(), entry => entry.Id.Id == 14);
        Assert.Equal(LogLevel.Warning, logged.Level);
        Assert.Contains(nameof(Holder), logged.Message, StringComparison.Ordinal);
        Assert.Contains("System.Text.StringBuilder", logged.Message, StringComparison.Ordinal);
        Assert.Contains("Set VerificationOptions.Comparer, or override Equals", logged.Message, StringComparison.Ordinal);
        Assert.Equal(2, _singleflight.GetStats().Unverifiable);
    }

    [Fact]
    public async Task Cyclic_results_are_compared_without_an_endless_loop()
    {
        Assert.Equal(("a", 0L, 0L), await FollowAsync("a", static () => Circle("a"), static () => Circle("a")));
        Assert.Equal(("a", 1L, 0L), await FollowAsync("a", static () => Circle("a"), static () => Circle("b")));

        static Plain Circle(string name)
        {
            var last = new Plain { Name = name, All = [] };
            var first = new Plain { Name = "first", Next = last, All = [last] };
            last.All.Add(first);
            last.Next = first;
            return first;
        }
    }

    [Fact]
    public async Task Cyclic_results_are_not_hashed()
    {
        Assert.Equal(("a", 0L, 1L), await FollowAsync("a", static () => Bunch("a", "b"), static () => Bunch("b", "a")));
        Assert.Equal(("a", 1L, 0L), await FollowAsync("a", static () => Bunch("a", "b"), static () => Bunch("b", "c")));

        // Records whose generated hash calls itself, in a collection whose order may or may not matter.
        static IReadOnlyCollection<Round> Bunch(params string[] names) => new Crate<Round>([.. names.Select(name =>
        {
            var round = new Round { Name = name };
            round.Next = round;
            return round;
        })]);
    }

    [Fact]
    public async Task The_comparison_of_a_very_long_chain_is_given_up()
    {
        Assert.Equal(("a", 0L, 1L), await FollowAsync("a", Chain, Chain));

        static Plain Chain()
        {
            var first = new Plain();
            for (var i = 0; i < 200_000; i++) first = new Plain { Next = first };
            return first;
        }
    }

    [Fact]
    public async Task A_verification_that_hangs_holds_its_caller_no_longer_than_MaxDuration()
    {
        var backend = new Backend<int>();
        var leader = _singleflight.ExecuteAsync("a", backend.RunStubbornAsync).AsTask();
        var run = await backend.NextRunAsync();
        var follower = _singleflight.ExecuteAsync("a", backend.RunStubbornAsync).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(20));
        run.Succeed(1);
        Assert.Equal(1, await leader.SoonAsync());
        var own = await backend.NextRunAsync();
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.False(follower.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, await follower.SoonAsync());
        await own.CancelledAsync();
        own.Succeed(1);
        var stats = _singleflight.GetStats();
        Assert.Equal((1, 0, 1), (stats.Verifications, stats.Mismatches, stats.Unverifiable));
    }

    private static IEnumerable<int> Once()
    {
        yield return 1;
    }

    // Runs a verified follower, and returns the change of the counts.
    private async Task<(string What, long Mismatches, long Unverifiable)> FollowAsync<T>(string what, Func<T> shared, Func<T> own)
    {
        var before = _singleflight.GetStats();
        var go = new TaskCompletionSource();
        var leader = _singleflight.ExecuteAsync("a", async _ =>
        {
            await go.Task;
            return shared();
        }).AsTask();
        var follower = _singleflight.ExecuteAsync("a", _ => ValueTask.FromResult(own())).AsTask();
        go.SetResult();
        await Task.WhenAll(leader, follower).SoonAsync();
        var after = _singleflight.GetStats();
        Assert.Equal(1, after.Verifications - before.Verifications);
        return (what, after.Mismatches - before.Mismatches, after.Unverifiable - before.Unverifiable);
    }

    private sealed record Page(string Title, List<int> Items);

    private sealed record Holder(StringBuilder Held);

    private class Plain
    {
        public string? Name { get; set; }

        public List<string>? Tags { get; set; }

        public Plain? Next { get; set; }

        public HashSet<Plain>? All { get; set; }
    }

    private sealed class PlainProxy : Plain;

    private sealed class Guarded(int hidden)
    {
        private readonly object _gate = new();
        private readonly Lock _lock = new();
        private readonly List<int> _items = [hidden];

        public event EventHandler? Changed = static (_, _) => { };

        public int Shown = 1;

        public int Sum()
        {
            Changed?.Invoke(this, EventArgs.Empty);
            lock (_gate) return _items.Sum() + (_lock.IsHeldByCurrentThread ? 1 : 0);
        }
    }

    private sealed class Lazily
    {
        private string Text => field ??= "made";

        public string Shown => field ??= Text;

        public Lazily Asked()
        {
            _ = Shown;
            return this;
        }
    }

    private sealed class Paged : List<int>
    {
        public int Total { get; set; } = 7;
    }

    private sealed class Headers : NameValueCollection
    {
        public int Status { get; set; }
    }

    private sealed record Round
    {
        public string Name { get; set; } = "";

        public Round? Next { get; set; }
    }

    private sealed class Crate<T>(T[] items) : IReadOnlyCollection<T>
    {
        public int Count => items.Length;

        public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)items).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => items.GetEnumerator();
    }

    private sealed class Ring(int[] items) : IReadOnlyCollection<int>
    {
        private readonly int[] _items = [.. items, 0]; // with spare capacity

        public int Count => _items.Length - 1;

        public IEnumerator<int> GetEnumerator() => _items.SkipLast(1).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class Identified(int id)
    {
        public int Id => id;

        public override bool Equals(object? obj) => obj is Identified other && other.Id == id;

        public override int GetHashCode() => id;
    }
}
