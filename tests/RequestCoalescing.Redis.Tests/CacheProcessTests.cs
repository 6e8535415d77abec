namespace RequestCoalescing.Redis.Tests;

/// <summary>Stampedes on one key in four processes, whose caches have a second level in Redis.</summary>
public sealed class CacheProcessTests(CacheNodes nodes) : IClassFixture<CacheNodes>
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_shortLease = TimeSpan.FromSeconds(2);

    public static TheoryData<string> Caches => ["hybrid", "fusion"];

    [Theory]
    [MemberData(nameof(Caches))]
    public async Task Callers_in_four_processes_share_one_load_and_later_ones_find_its_value(string cache)
    {
        var key = $"{cache}-viral";
        var answer = await CallAsync(nodes.All, cache, key, callers: 100, ms: 500);
        Assert.Equal(answer, await CallAsync(nodes.All, cache, key));
        Assert.Equal(1, nodes.RequestsFor(key));
    }

    // These calls neither read nor write the first level. For them a removal in one process holds in all.
    [Theory]
    [MemberData(nameof(Caches))]
    public async Task After_a_removal_in_one_process_the_callers_of_all_processes_share_one_load(string cache)
    {
        var key = $"{cache}-removed";
        await CallAsync(nodes.All, cache, key);
        for (var node = 0; node < nodes.All.Count; node++)
        {
            await nodes.All[node].RemoveAsync(cache, key);
            await CallAsync(nodes.All, cache, key, callers: 10);
            Assert.Equal(node + 2, nodes.RequestsFor(key));
        }
    }

    // A removal empties the second level, and the first level of its own process. No message tells the other processes to empty theirs.
    [Theory]
    [MemberData(nameof(Caches))]
    public async Task After_a_removal_in_one_process_the_others_keep_the_entries_of_their_first_levels(string cache)
    {
        var key = $"{cache}-near";
        foreach (var node in nodes.All) await CallAsync([node], cache, key, bothLevels: true); // a process that only follows a flight does not store
        await nodes.All[0].RemoveAsync(cache, key);
        await CallAsync(nodes.All.Skip(1), cache, key, bothLevels: true);
        Assert.Equal(1, nodes.RequestsFor(key));
        await CallAsync(nodes.All.Take(1), cache, key, bothLevels: true);
        Assert.Equal(2, nodes.RequestsFor(key));
    }

    [Theory]
    [MemberData(nameof(Caches))]
    public async Task A_removal_in_one_process_reaches_the_load_of_another_one(string cache)
    {
        var key = $"{cache}-overtaken";
        var before = CallAsync(nodes.All.Take(1), cache, key, ms: 1_000);
        await nodes.LoaderOfAsync(key);
        await nodes.All[1].RemoveAsync(cache, key);
        await CallAsync(nodes.All.Skip(1), cache, key);
        await before;
        await CallAsync(nodes.All, cache, key);
        Assert.Equal(2, nodes.RequestsFor(key));
    }

    [Fact]
    public async Task If_the_process_that_loads_is_killed_another_one_loads_and_no_caller_of_the_others_fails()
    {
        await using var mortal = new CacheNodes { Lease = s_shortLease };
        await mortal.InitializeAsync();
        var alive = mortal.All.ToList();
        foreach (var cache in Caches.Select(row => row.Data))
        {
            var key = $"{cache}-killed";
            var calls = alive.ToDictionary(node => node, node => CallAsync([node], cache, key, callers: 100, ms: 1_000));
            var loader = await mortal.LoaderOfAsync(key);
            loader.Kill();
            alive.Remove(loader);
            var answers = await Task.WhenAll(alive.Select(node => calls[node]));
            Assert.Equal(await CallAsync(alive, cache, key), Assert.Single(answers.Distinct()));
            Assert.Equal(2, mortal.RequestsFor(key));
        }
    }

    // Each call must succeed, and all of them must get the same answer.
    private static async Task<string> CallAsync(IEnumerable<CacheNode> nodes, string cache, string key, int callers = 1, int ms = 0, bool bothLevels = false)
    {
        var answers = await Task.WhenAll(nodes.Select(node => node.CallAsync(cache, key, callers, ms, bothLevels))).WaitAsync(s_patience);
        Assert.All(answers, answer => Assert.Equal((callers, answers[0].Answer), answer));
        Assert.DoesNotContain(", ", answers[0].Answer, StringComparison.Ordinal);
        return answers[0].Answer;
    }
}
