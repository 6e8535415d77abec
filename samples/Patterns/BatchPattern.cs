using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

internal sealed record Author(long Id, string Name);

/// <summary>Loads authors. Requests for different authors at the same time share one query, and those for the same author share its place in the query.</summary>
internal static class AuthorLoader
{
    public static void Register(IServiceCollection services) => services.AddBatchLoader<long, Author>(
        "authors",
        async (provider, ids, batch) => await LoadAsync(provider.GetRequiredService<SqliteDatabase>(), ids, batch),
        options =>
        {
            options.MaxBatchSize = 100;                     // what the database takes well
            options.Window = TimeSpan.FromSeconds(30);      // so long only for this sample, whose batch is full before. A service sets a millisecond
        });

    private static async Task<Dictionary<long, Author>> LoadAsync(SqliteDatabase database, IReadOnlyList<long> ids, CancellationToken batch)
    {
        var parameters = ids.Select((id, i) => ($"@id{i}", (object)id)).ToArray();
        var rows = await database.QueryAsync(
            $"SELECT id, name FROM authors WHERE id IN ({string.Join(", ", parameters.Select(parameter => parameter.Item1))})",
            parameters,
            static row => new Author(row.GetInt64(0), row.GetString(1)),
            batch);
        return rows.ToDictionary(author => author.Id);
    }
}

/// <summary>A thousand requests need a hundred authors at the same time.</summary>
internal static class BatchPattern
{
    private const int Authors = 100;

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var database = await SqliteDatabase.CreateAsync(
            """
            CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 98)
            INSERT INTO authors SELECT i, 'Author ' || i FROM n;
            """,
            cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleton(database);
        AuthorLoader.Register(services);
        await using var provider = services.BuildServiceProvider();
        var authors = provider.GetRequiredKeyedService<BatchLoader<long, Author>>("authors");

        var crowd = new Crowd(1_000);
        database.BeforeAnswer = () => crowd.HaveAsked;
        output.WriteLine("1,000 requests need 100 different authors at the same time. One of the authors does not exist.");
        var next = -1;
        var found = await crowd.AskAsync(() =>
        {
            var id = Interlocked.Increment(ref next) % Authors;
            return FindAsync(authors, id, cancellationToken);
        });

        Outcome.Expect(found.All(each => each.Id == Authors - 1 ? each.Author is null : each.Author == new Author(each.Id, $"Author {each.Id}")), "A request got a wrong author.");
        output.WriteLine($"{found.Count(each => each.Author is not null):N0} of them got an author, and {found.Count(each => each.Author is null):N0} learned that theirs does not exist.");
        return new Outcome(crowd.Asked, database.Queries);
    }

    private static async ValueTask<(long Id, Author? Author)> FindAsync(BatchLoader<long, Author> authors, long id, CancellationToken cancellationToken) =>
        (id, await authors.LoadAsync(id, cancellationToken));
}
