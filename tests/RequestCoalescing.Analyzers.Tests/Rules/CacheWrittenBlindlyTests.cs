using RequestCoalescing.CodeFixes.Rules;
using Rule = RequestCoalescing.Analyzers.Tests.Verify<RequestCoalescing.Analyzers.Rules.CacheWrittenBlindly.CacheWrittenBlindlyAnalyzer>;

namespace RequestCoalescing.Analyzers.Tests.Rules;

/// <summary>RC011.</summary>
public sealed class CacheWrittenBlindlyTests
{
    [Theory]
    [InlineData("async flight => { var post = await LoadAsync(flight); [|memory.Set(id, post)|]; return post; }")]
    [InlineData("async flight => [|memory.Set(id, await LoadAsync(flight))|]")]
    [InlineData("async (FlightContext flight) => { var post = await LoadAsync(flight); [|memory.Set(id, post, TimeSpan.FromMinutes(1))|]; return post; }")]
    [InlineData("async flight => { using var entry = [|memory.CreateEntry(id)|]; return await LoadAsync(flight); }")]
    [InlineData("async flight => { var post = await LoadAsync(flight); await [|distributed.SetStringAsync(id, post, flight)|]; return post; }")]
    [InlineData("async flight => { var post = await LoadAsync(flight); await [|hybrid.SetAsync(id, post, cancellationToken: flight)|]; return post; }")]
    [InlineData("async flight => await _posts.ExecuteAsync(id, async inner => { [|memory.Set(id, 5)|]; return await LoadAsync(inner); }, flight)")]
    public Task A_write_without_a_look_at_the_flight_is_found(string work) => Rule.FindsAsync(InClass(work));

    [Theory]
    [InlineData("async (FlightContext flight) => { var post = await LoadAsync(flight); if (flight.IsCurrent) memory.Set(id, post); return post; }")]
    [InlineData("async (FlightContext flight) => { var post = await LoadAsync(flight); if (!flight.IsCurrent) return post; memory.Set(id, post); return post; }")]
    [InlineData("async (FlightContext flight) => { var post = await LoadAsync(flight); memory.Set(id, post); if (!await flight.ConfirmCurrentAsync()) memory.Remove(id); return post; }")]
    [InlineData("async (FlightContext flight) => { var post = await LoadAsync(flight); if (MayStore(flight)) memory.Set(id, post); return post; }")]
    [InlineData("async flight => { var post = await LoadAsync(flight); memory.TryGetValue(id, out var old); return post; }")]
    [InlineData("async flight => { var post = await LoadAsync(flight); memory.Remove(id); return post; }")]
    [InlineData("async flight => { var post = await LoadAsync(flight); set.Set(0, true); return post; }")]
    [InlineData("async flight => await hybrid.GetOrCreateAsync(id, token => new ValueTask<string>(id), cancellationToken: flight)")]
    public Task A_write_that_looks_at_the_flight_and_other_calls_are_left_alone(string work) => Rule.NoneAsync(InClass(work));

    [Fact]
    public Task A_cache_that_creates_its_entries_inside_the_work_is_found_when_the_setting_says_so() => Rule.FindsAsync(
        InClass("async flight => await [|hybrid.GetOrCreateAsync(id, token => new ValueTask<string>(id), cancellationToken: flight)|]"),
        checkCaches: true);

    [Fact]
    public Task A_write_outside_the_work_is_left_alone() => Rule.NoneAsync(InClass("LoadAsync", after: "memory.Set(id, 5);"));

    [Theory]
    [InlineData(
        "async flight => { var post = await LoadAsync(flight); [|memory.Set(id, post)|]; return post; }",
        "async (FlightContext flight) => { var post = await LoadAsync(flight); if (flight.IsCurrent) memory.Set(id, post); return post; }")]
    [InlineData(
        "async (FlightContext flight) => { var post = await LoadAsync(flight); await [|distributed.SetStringAsync(id, post, flight)|]; return post; }",
        "async (FlightContext flight) => { var post = await LoadAsync(flight); if (flight.IsCurrent) await distributed.SetStringAsync(id, post, flight); return post; }")]
    [InlineData("async @in => { [|memory.Set(id, 5)|]; return await LoadAsync(@in); }", "async (FlightContext @in) => { if (@in.IsCurrent) memory.Set(id, 5); return await LoadAsync(@in); }")]
    public Task The_fix_looks_at_the_flight(string before, string after) => Rule.FixesAsync<LookAtFlightFix>(InClass(before), InClass(after));

    [Theory]
    [InlineData("async flight => [|memory.Set(id, await LoadAsync(flight))|]")]
    [InlineData("async flight => { flight.ThrowIfCancellationRequested(); var post = await LoadAsync(flight); [|memory.Set(id, post)|]; return post; }")]
    [InlineData("async flight => { [|memory.Set(id, await LoadAsync(flight))|]; }")]
    [InlineData("flight => { [|memory.Set(id, 5)|]; return 5; }")]
    public Task No_fix_is_offered_where_it_would_not_compile(string work) => Rule.FixesAsync<LookAtFlightFix>(InClass(work), InClass(work));

    private static string InClass(string work, string after = "") =>
        $$"""
        using Microsoft.Extensions.Caching.Distributed;

        class C
        {
            private readonly Singleflight _posts = new();

            void M(string id, IMemoryCache memory, IDistributedCache distributed, HybridCache hybrid, System.Collections.BitArray set, CancellationToken ct)
            {
                _ = _posts.ExecuteAsync(id, {{work}}, ct);
                {{after}}
            }

            static bool MayStore(FlightContext flight) => flight.IsCurrent;
            static Task<string> LoadAsync(CancellationToken ct) => Task.FromResult("");
        }
        """;
}
