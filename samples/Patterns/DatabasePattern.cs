using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

internal readonly record struct UserKey(long Id);

internal sealed record UserProfile(long Id, string Name, string City);

/// <summary>Loads profiles. Requests for the same user at the same time share one query.</summary>
internal sealed class UserService(ISingleflight<UserKey> flights, SqliteDatabase database)
{
    // The flight's token goes to the database. The caller's token lets that caller leave, while the others keep waiting.
    public ValueTask<UserProfile?> FindProfileAsync(UserKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(key, flight => LoadAsync(key, flight), cancellationToken);

    private async Task<UserProfile?> LoadAsync(UserKey key, CancellationToken flight)
    {
        var rows = await database.QueryAsync(
            "SELECT id, name, city FROM users WHERE id = @id",
            [("@id", key.Id)],
            static row => new UserProfile(row.GetInt64(0), row.GetString(1), row.GetString(2)),
            flight);
        return rows.SingleOrDefault();
    }
}

/// <summary>A thousand requests need the profile of one user at the same time.</summary>
internal static class DatabasePattern
{
    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            """
            CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
            INSERT INTO users VALUES (122, 'Grace', 'New York'), (123, 'Ada', 'London'), (124, 'Alan', 'Manchester');
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleflight<UserKey>();
        services.AddSingleton<UserService>().AddSingleton(database);
        await using var provider = services.BuildServiceProvider();
        var users = provider.GetRequiredService<UserService>();

        var crowd = new Crowd(1_000);
        database.BeforeAnswer = () => crowd.HaveAsked;
        output.WriteLine("1,000 requests need the profile of user 123 at the same time.");
        var profiles = await crowd.AskAsync(() => users.FindProfileAsync(new UserKey(123), cancellationToken));

        Outcome.Expect(profiles.All(profile => profile == new UserProfile(123, "Ada", "London")), "A request got a wrong profile.");
        output.WriteLine($"All of them got {profiles[0]!.Name} from {profiles[0]!.City}.");
        return new Outcome(crowd.Asked, database.Queries);
    }
}
