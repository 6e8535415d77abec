namespace RequestCoalescing.Docs.Pages.Usage;

// <snippet usage-row>
public sealed class UserService(Database database)
{
    private readonly Singleflight<long> _profiles = new();

    public ValueTask<UserProfile> GetProfileAsync(long userId, CancellationToken cancellationToken) =>
        _profiles.ExecuteAsync(userId, flight => database.LoadProfileAsync(userId, flight), cancellationToken);
}
// </snippet>

public sealed record UserProfile(long Id);

/// <summary>In place of the reader's own database.</summary>
public sealed class Database
{
    public Backend<UserProfile> Backend { get; } = new();

    public ValueTask<UserProfile> LoadProfileAsync(long id, CancellationToken cancellationToken) => Backend.RunAsync(cancellationToken);
}

/// <summary>The code of docs/usage.md.</summary>
public sealed class UsageTests
{
    [Fact]
    public async Task A_profile_is_loaded_once()
    {
        var database = new Database();
        var service = new UserService(database);
        var callers = Enumerable.Range(0, 10).Select(_ => service.GetProfileAsync(7, default).AsTask()).ToArray();
        (await database.Backend.NextRunAsync()).Succeed(new UserProfile(7));
        Assert.All(await Task.WhenAll(callers).SoonAsync(), profile => Assert.Equal(7, profile.Id));
        Assert.Equal(1, database.Backend.Runs);
    }
}
