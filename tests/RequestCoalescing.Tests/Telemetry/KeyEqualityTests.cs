using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace RequestCoalescing.Tests.Telemetry;

/// <summary>Keys without value equality never coalesce. The log warns of them.</summary>
public sealed class KeyEqualityTests
{
    [Fact]
    public async Task Keys_without_equality_are_logged_once_for_each_type()
    {
        Assert.Equal("String[]", await GetLoggedPartAsync(static i => new[] { $"{i}" }));
        Assert.Equal("Entity", await GetLoggedPartAsync(static i => new Entity { Id = i }));
        Assert.Equal("List`1", await GetLoggedPartAsync(static i => new List<int> { i }));
        Assert.Equal("ImmutableArray`1", await GetLoggedPartAsync(static i => ImmutableArray.Create(i)));
        Assert.Equal("String[]", await GetLoggedPartAsync(static i => ("a", new[] { $"{i}" })));
        Assert.Equal("String[]", await GetLoggedPartAsync(static i => Tuple.Create(1, ("a", new[] { $"{i}" }))));
        Assert.Equal("Int32[]", await GetLoggedPartAsync(static i => new Tagged("a", [i])));
        Assert.Equal("Entity", await GetLoggedPartAsync(static i => new Holder { Held = new Entity { Id = i } }));
        Assert.Equal("Entity", await GetLoggedPartAsync<object>(static i => new Entity { Id = i }));
    }

    [Fact]
    public async Task Keys_with_equality_are_not_logged()
    {
        Assert.Null(await GetLoggedPartAsync(static i => $"{i}"));
        Assert.Null(await GetLoggedPartAsync(static i => i));
        Assert.Null(await GetLoggedPartAsync(static i => (i, (int?)null, "a", DateTimeOffset.UnixEpoch)));
        Assert.Null(await GetLoggedPartAsync(static i => new Tagged("a", null)));
        Assert.Null(await GetLoggedPartAsync(static i => new Identified(i)));
        Assert.Null(await GetLoggedPartAsync(static i => new Typed(i)));
        Assert.Null(await GetLoggedPartAsync(static i => new Uri($"http://host/{i}")));
        Assert.Null(await GetLoggedPartAsync(static i => new Version(1, i)));
        Assert.Null(await GetLoggedPartAsync(static i => typeof(int)));
        Assert.Null(await GetLoggedPartAsync(static i => new { Id = i }));
        Assert.Null(await GetLoggedPartAsync(static i => DayOfWeek.Friday));
        Assert.Null(await GetLoggedPartAsync(static i => new object()));
    }

    // The part without equality, as the log names it. Null if nothing was logged.
    private static async Task<string?> GetLoggedPartAsync<TKey>(Func<int, TKey> key)
        where TKey : notnull
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleflight<TKey>("keys");
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredKeyedService<ISingleflight<TKey>>("keys");
        for (var i = 0; i < 3; i++) await singleflight.ExecuteAsync(key(i), static _ => ValueTask.FromResult(1));
        var logged = provider.GetFakeLogCollector().GetSnapshot().Where(entry => entry.Id.Id == 16).ToList();
        if (logged.Count == 0) return null;
        Assert.Equal(LogLevel.Warning, Assert.Single(logged).Level);
        Assert.Equal(key(0).GetType().ToString(), logged[0].GetStructuredStateValue("KeyType"));
        var part = logged[0].GetStructuredStateValue("PartType")!;
        return part[(part.Split('[')[0].LastIndexOfAny(['.', '+']) + 1)..].Split("[System")[0];
    }

    private sealed class Entity
    {
        public int Id { get; set; }
    }

    private sealed record Tagged(string Name, int[]? Tags);

    private struct Holder
    {
        public Entity Held { get; set; }
    }

    private sealed class Identified(int id)
    {
        public override bool Equals(object? obj) => obj is Identified other && other.GetHashCode() == id;

        public override int GetHashCode() => id;
    }

#pragma warning disable CA1067 // A comparer of keys does not need the override.
    private sealed class Typed(int id) : IEquatable<Typed>
    {
        private readonly int _id = id;

        public bool Equals(Typed? other) => other?._id == _id;
    }
#pragma warning restore CA1067
}
