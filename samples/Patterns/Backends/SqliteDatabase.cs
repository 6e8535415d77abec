using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;

namespace Patterns.Backends;

/// <summary>A database in a temporary folder. It counts the queries that it runs.</summary>
internal sealed class SqliteDatabase : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("patterns-");
    private int _queries;

    public int Queries => Volatile.Read(ref _queries);

    /// <summary>Each query waits for this after it has read, as it would for a slow network.</summary>
    public Func<Task> BeforeAnswer { get; set; } = static () => Task.CompletedTask;

    public static async Task<SqliteDatabase> CreateAsync(string script, CancellationToken cancellationToken)
    {
        var database = new SqliteDatabase();
        try
        {
            await database.ExecuteAsync(script, [], cancellationToken);
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    public async Task ExecuteAsync(string sql, (string Name, object Value)[] parameters, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql, parameters);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<List<T>> QueryAsync<T>(
        string sql, (string Name, object Value)[] parameters, Func<SqliteDataReader, T> read, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql, parameters);
        Interlocked.Increment(ref _queries);
        var rows = new List<T>();
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken)) rows.Add(read(reader));
        }

        await BeforeAnswer().WaitAsync(cancellationToken);
        return rows;
    }

    /// <summary>Yields the rows of a query as they are read.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(
        string sql, (string Name, object Value)[] parameters, Func<SqliteDataReader, T> read, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql, parameters);
        Interlocked.Increment(ref _queries);
        await BeforeAnswer().WaitAsync(cancellationToken);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) yield return read(reader);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, (string Name, object Value)[] parameters)
    {
        var command = new SqliteCommand(sql, connection);
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value);
        return command;
    }

    private async Task<SqliteConnection> OpenAsync(CancellationToken cancellationToken)
    {
        // Without a pool, no connection keeps the file open when the folder is deleted.
        var connection = new SqliteConnection($"Data Source={Path.Combine(_folder.FullName, "sample.db")};Pooling=False");
        await connection.OpenAsync(cancellationToken);
        return connection;
    }
}
