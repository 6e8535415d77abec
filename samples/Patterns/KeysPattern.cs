using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

/// <summary>The key of a feed. The compiler writes its text, which is the same for equal keys only.</summary>
[CoalescingKey]
internal readonly partial record struct FeedKey(long Viewer, string Topic);

internal sealed record Feed(long Viewer, string Titles);

/// <summary>Loads the posts of a topic that a viewer may see. The compiler writes the coalesced method, and puts each parameter into the key.</summary>
internal sealed partial class FeedService(ISingleflight<FeedKey> flights, SqliteDatabase database)
{
    [Coalesce(Engine = nameof(flights))]
    public partial ValueTask<Feed> GetFeedAsync(long viewer, string topic, CancellationToken cancellationToken);

    private async Task<Feed> GetFeedCoreAsync(long viewer, string topic, CancellationToken flight)
    {
        var titles = await database.QueryAsync(
            "SELECT title FROM posts WHERE topic = @topic AND (published OR author = @viewer) ORDER BY id",
            [("@topic", topic), ("@viewer", viewer)],
            static row => row.GetString(0),
            flight);
        return new Feed(viewer, string.Join(", ", titles));
    }
}

/// <summary>Two users open the same topic a thousand times each. Requests of one user share a query. Neither user gets a draft of the other.</summary>
internal static class KeysPattern
{
    private const int Viewers = 2;

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            """
            CREATE TABLE posts (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, author INTEGER NOT NULL, published INTEGER NOT NULL, title TEXT NOT NULL);
            INSERT INTO posts VALUES (1, 'news', 1, TRUE, 'Hello'), (2, 'news', 1, FALSE, 'Draft of 1'), (3, 'news', 2, FALSE, 'Draft of 2');
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleflight<FeedKey>();
        services.AddSingleton<FeedService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var feeds = provider.GetRequiredService<FeedService>();

        var (crowd, next) = (new Crowd(2_000), 0);
        database.BeforeAnswer = () => crowd.HaveAsked;
        output.WriteLine("The users 1 and 2 open the topic 'news' 1,000 times each, all at the same time.");
        var answers = await crowd.AskAsync(() => feeds.GetFeedAsync(1 + (Interlocked.Increment(ref next) % Viewers), "news", cancellationToken));

        for (var viewer = 1; viewer <= Viewers; viewer++)
        {
            var own = new Feed(viewer, $"Hello, Draft of {viewer}");
            Outcome.Expect(answers.Count(answer => answer == own) == crowd.Asked / Viewers, "A user got a wrong feed.");
            output.WriteLine($"Key {new FeedKey(viewer, "news")}: {own.Titles}.");
        }

        return new Outcome(crowd.Asked, database.Queries, "queries, one for each user", Viewers);
    }
}
