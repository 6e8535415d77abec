using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Tests.Batching;

/// <summary>A loader in front of a real database: <c>SELECT … WHERE id IN (…)</c>.</summary>
public sealed class BatchSqliteTests : IAsyncDisposable
{
    private static readonly TimeSpan s_window = TimeSpan.FromMilliseconds(5);

    private readonly string _database = $"Data Source={Guid.NewGuid():N};Mode=Memory;Cache=Shared";
    private readonly SqliteConnection _keeper; // the database lives as long as a connection to it
    private readonly FakeTimeProvider _clock = new();
    private readonly TaskCompletionSource _haveAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _queries;

    public BatchSqliteTests()
    {
        _keeper = new SqliteConnection(_database);
        _keeper.Open();
        using var command = _keeper.CreateCommand();
        command.CommandText =
            """
            CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 98)
            INSERT INTO authors SELECT i, 'Author ' || i FROM n;
            """;
        command.ExecuteNonQuery();
    }

    public ValueTask DisposeAsync() => _keeper.DisposeAsync();

    [Theory]
    [InlineData(100, 1)]
    [InlineData(34, 3)]
    [InlineData(10, 10)]
    public async Task A_thousand_requests_for_a_hundred_ids_are_a_few_queries(int maxBatchSize, int queries)
    {
        await using var authors = new BatchLoader<long, string>(FindAsync, new BatchLoaderOptions { Window = s_window, MaxBatchSize = maxBatchSize, TimeProvider = _clock });
        var requests = new Task<string?>[1_000];
        Crowd.Run(10, thread =>
        {
            for (var i = thread; i < requests.Length; i += 10) requests[i] = authors.LoadAsync(i % 100);
        });
        _haveAsked.SetResult();
        _clock.Advance(s_window);
        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => i % 100 == 99 ? null : $"Author {i % 100}"), await Task.WhenAll(requests).SoonAsync());
        Assert.InRange(_queries, 1, 10);
        Assert.Equal(queries, _queries);
    }

    private async Task<IReadOnlyDictionary<long, string>> FindAsync(IReadOnlyList<long> ids, CancellationToken batch)
    {
        Interlocked.Increment(ref _queries);
        await _haveAsked.Task.WaitAsync(batch); // a query takes longer than the requests take to come
        await using var connection = new SqliteConnection(_database);
        await connection.OpenAsync(batch);
        await using var command = connection.CreateCommand();
        command.CommandText = $"SELECT id, name FROM authors WHERE id IN ({string.Join(", ", ids.Select((_, i) => $"@{i}"))})";
        for (var i = 0; i < ids.Count; i++) command.Parameters.AddWithValue($"@{i}", ids[i]);
        var found = new Dictionary<long, string>();
        await using var reader = await command.ExecuteReaderAsync(batch);
        while (await reader.ReadAsync(batch)) found.Add(reader.GetInt64(0), reader.GetString(1));
        return found;
    }
}
