using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Mutation;

/// <summary>A caller that changes a shared result is reported, and nothing else is.</summary>
public sealed class MutationDetectionTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<ServiceProvider> _providers = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var provider in _providers) await provider.DisposeAsync();
    }

    public static TheoryData<string> Changes => [.. s_cases.Keys];

    private static readonly Dictionary<string, (Func<object> Make, Action<object> Change)> s_cases = new()
    {
        ["an element of an array"] = (() => new[] { 1, 2 }, result => ((int[])result)[1] = 3),
        ["a byte"] = (() => new byte[] { 1, 2 }, result => ((byte[])result)[1] = 3),
        ["a list"] = (() => new List<string> { "a" }, result => ((List<string>)result).Add("b")),
        ["the order of a list"] = (() => new List<int> { 2, 1 }, result => ((List<int>)result).Sort()),
        ["a dictionary"] = (() => new Dictionary<string, int> { ["a"] = 1 }, result => ((Dictionary<string, int>)result)["a"] = 2),
        ["a set"] = (() => new HashSet<int> { 1 }, result => ((HashSet<int>)result).Add(2)),
        ["a property"] = (() => new Post { Title = "a" }, result => ((Post)result).Title = "b"),
        ["a property to null"] = (() => new Post { Title = "a" }, result => ((Post)result).Title = null),
        ["a list in a property"] = (() => new Post { Tags = { "a" } }, result => ((Post)result).Tags.Clear()),
        ["an object in a cycle"] = (() => Cyclic(), result => ((Post)result).Next!.Next!.Title = "b"),
        ["an element of a tuple"] = (() => (1, new Post()), result => (((int, Post))result).Item2.Title = "b"),
        ["an object in a record"] = (() => new Page(new Post()), result => ((Page)result).Post.Title = "b"),
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_by_a_caller_is_reported_with_the_types(string change)
    {
        var (singleflight, logs) = Build(Environments.Development);
        var (make, mutate) = s_cases[change];
        var result = await singleflight.ExecuteAsync(new PostKey(1), _ => Task.FromResult(make()));
        mutate(result);
        _clock.Advance(TimeSpan.FromSeconds(5));
        var entry = await ReportAsync(logs);
        Assert.Equal((17, LogLevel.Error), (entry.Id.Id, entry.Level));
        Assert.Contains(result.GetType().ToString(), entry.Message, StringComparison.Ordinal);
        Assert.Contains($"keys are of type {typeof(PostKey)}", entry.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_type_is_reported_once()
    {
        var (singleflight, logs) = Build(Environments.Development);
        for (var i = 0; i < 3; i++)
        {
            var post = await singleflight.ExecuteAsync(new PostKey(i), static _ => Task.FromResult(new Post()));
            post.Title = "changed";
        }

        _clock.Advance(TimeSpan.FromSeconds(5));
        await ReportAsync(logs);
        var list = await singleflight.ExecuteAsync(new PostKey(9), static _ => Task.FromResult(new List<int>()));
        list.Add(1);
        _clock.Advance(TimeSpan.FromSeconds(5));
        await Patience.UntilAsync(() => Reports(logs).Count == 2, "the list is reported too");
        Assert.Single(Reports(logs), entry => entry.Message.Contains(nameof(Post) + " has", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Results_that_stay_or_cannot_be_read_with_certainty_are_not_reported()
    {
        var (singleflight, logs) = Build(Environments.Development);
        var enumerations = 0;
        object?[] results = [null, 1, "text", new Post { Title = "a", Tags = { "b" } }, Cyclic(), new MemoryStream([1]), Lazily(), new Counting(), Task.FromResult(1), new Proxy(), new View("a", new Service()), Chain(100_000), new LazyCollection(() => enumerations++)];
        for (var i = 0; i < results.Length; i++)
        {
            var index = i;
            await singleflight.ExecuteAsync(new PostKey(i), _ => Task.FromResult(results[index]));
        }

        ((MemoryStream)results[5]!).WriteByte(2);
        ((Counting)results[7]!).Count();
        Assert.NotNull(((Proxy)results[9]!).Comments);
        ((View)results[10]!).Service.Ask();
        var canary = await singleflight.ExecuteAsync(new PostKey(99), static _ => Task.FromResult(new List<int>()));
        canary.Add(1);
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains("List", (await ReportAsync(logs)).Message, StringComparison.Ordinal);
        Assert.Single(Reports(logs));
        Assert.Equal(0, enumerations);

        IEnumerable<int> Lazily()
        {
            enumerations++;
            yield return 1;
        }
    }

    [Fact]
    public async Task The_result_of_a_call_that_runs_alone_is_not_reported()
    {
        var (singleflight, logs) = Build(Environments.Development, limits: static options => (options.MaxInFlight, options.Overflow) = (1, OverflowBehavior.RunAlone));
        var work = new TaskCompletionSource<Post>();
        var flying = singleflight.ExecuteAsync(new PostKey(1), _ => work.Task).AsTask();
        var own = await singleflight.ExecuteAsync(new PostKey(2), static _ => Task.FromResult(new Post()));
        own.Title = "changed";
        work.SetResult(new Post());
        await flying.SoonAsync();
        _clock.Advance(TimeSpan.FromSeconds(5));
        var canary = await singleflight.ExecuteAsync(new PostKey(99), static _ => Task.FromResult(new List<int>()));
        canary.Add(1);
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains("List", (await ReportAsync(logs)).Message, StringComparison.Ordinal);
        Assert.Single(Reports(logs));
    }

    [Theory]
    [InlineData("Production", null, false)]
    [InlineData("Production", true, true)]
    [InlineData("Development", false, false)]
    [InlineData(null, null, false)]
    public async Task It_works_in_Development_or_where_it_is_enabled(string? environment, bool? enabled, bool isReported)
    {
        var (singleflight, logs) = Build(environment, mutation => (mutation.Enabled, mutation.CheckAfter) = (enabled, TimeSpan.FromSeconds(1)));
        var post = await singleflight.ExecuteAsync(new PostKey(1), static _ => Task.FromResult(new Post()));
        post.Title = "changed";
        _clock.Advance(TimeSpan.FromSeconds(1));
        if (isReported) await ReportAsync(logs);
        else Assert.Empty(Reports(logs));
    }

    private static Post Cyclic()
    {
        var post = new Post();
        post.Next = new Post { Next = post };
        return post;
    }

    private static async Task<FakeLogRecord> ReportAsync(FakeLogCollector logs)
    {
        await Patience.UntilAsync(() => Reports(logs).Count > 0, "the change is reported");
        return Reports(logs)[0];
    }

    private static List<FakeLogRecord> Reports(FakeLogCollector logs) => [.. logs.GetSnapshot().Where(entry => entry.Id.Id == 17)];

    private (ISingleflight<PostKey> Singleflight, FakeLogCollector Logs) Build(
        string? environment, Action<MutationDetectionOptions>? configure = null, Action<SingleflightOptions>? limits = null)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        if (environment is not null) services.AddSingleton<IHostEnvironment>(new HostingEnvironment(environment));
        services.AddSingleflight<PostKey>(options =>
        {
            options.TimeProvider = _clock;
            limits?.Invoke(options);
        }).WithMutationDetection(configure).WithMutationDetection();
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        return (provider.GetRequiredService<ISingleflight<PostKey>>(), provider.GetFakeLogCollector());
    }

    private readonly record struct PostKey(int Id);

    private sealed record Page(Post Post);

    private sealed class Post
    {
        public string? Title { get; set; }

        public List<string> Tags { get; } = [];

        public Post? Next { get; set; }
    }

    // Its private state is not part of what callers see.
    private sealed class Counting
    {
        private int _count;

        public int Count() => ++_count;
    }

    private static Post Chain(int length)
    {
        var first = new Post();
        for (var (last, i) = (first, 0); i < length; i++) last = last.Next = new Post();
        return first;
    }

    private class Entity
    {
        public virtual List<string>? Comments { get; set; }
    }

    // As object-relational mappers make them: a read fills the property.
    private sealed class Proxy : Entity
    {
        public override List<string>? Comments
        {
            get => base.Comments ??= ["loaded"];
            set => base.Comments = value;
        }
    }

    private sealed record View(string Text, Service Service);

    private sealed class Service
    {
        public int Questions { get; private set; }

        public void Ask() => Questions++;
    }

    private sealed class LazyCollection(Action onEnumerate) : IReadOnlyCollection<int>
    {
        public int Count => 1;

        public IEnumerator<int> GetEnumerator()
        {
            onEnumerate();
            yield return 1;
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class HostingEnvironment(string name) : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = name;

        public string ApplicationName { get; set; } = "";

        public string ContentRootPath { get; set; } = "";

        public Microsoft.Extensions.FileProviders.IFileProvider ContentRootFileProvider { get; set; } = new Microsoft.Extensions.FileProviders.NullFileProvider();
    }
}
