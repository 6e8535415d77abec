using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Spectre.Console;

namespace ViralPost.Data;

/// <summary>SQLite in a file that the first run creates and fills, with a configurable latency.</summary>
internal sealed class SqlitePosts : PostDatabase
{
    private readonly Channel<SqliteConnection> _pool = Channel.CreateUnbounded<SqliteConnection>();
    private readonly TimeSpan _latency;

    private SqlitePosts(string path, TimeSpan latency)
    {
        _latency = latency;
        for (var i = 0; i < Connections; i++)
        {
            var connection = new SqliteConnection(ConnectionString(path, SqliteOpenMode.ReadOnly));
            connection.Open();
            _pool.Writer.TryWrite(connection);
        }
    }

    public override string Description =>
        $"SQLite, {Posts + (Posts * CommentsPerPost):N0} rows, {Connections} connections; each query takes {_latency.TotalMilliseconds:N0} ms more, for the distance to a database server.";

    public static async Task<SqlitePosts> OpenAsync(TimeSpan latency, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var path = Path.Combine(AppContext.BaseDirectory, $"viralpost-{Posts}x{CommentsPerPost}.db");
        try
        {
            if (!File.Exists(path))
            {
                console.WriteLine("Creating the database. This happens only once.");
                await CreateAsync(path, cancellationToken);
            }

            return new SqlitePosts(path, latency);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new StoryException($"The database {path} cannot be used: {exception.Message}", exception);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        for (var i = 0; i < Connections; i++) await (await _pool.Reader.ReadAsync()).DisposeAsync();
    }

    public override async Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        var connection = await _pool.Reader.ReadAsync(cancellationToken);
        try
        {
            await Task.Delay(_latency / 2, cancellationToken); // the way to the server
            var post = Read(connection, id); // SQLite runs on the calling thread, so that the query costs CPU time here
            await Task.Delay(_latency / 2, cancellationToken); // the way back
            return post;
        }
        finally
        {
            _pool.Writer.TryWrite(connection);
        }
    }

    private static Post? Read(SqliteConnection connection, long id)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Query;
        command.Parameters.AddWithValue("@id", id);
        using var row = command.ExecuteReader();
        return row.Read()
            ? new Post(row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetDouble(4), row.GetString(5), row.GetString(6))
            : null;
    }

    // The file has another name until it is complete, so that an interrupted run leaves no file that looks complete.
    private static async Task CreateAsync(string path, CancellationToken cancellationToken)
    {
        var unfinished = $"{path}.{Environment.ProcessId}.tmp";
        await using (var connection = new SqliteConnection(ConnectionString(unfinished, SqliteOpenMode.ReadWriteCreate)))
        {
            await connection.OpenAsync(cancellationToken);
            await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync(cancellationToken);
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText =
                """
                CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL);
                CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL, author TEXT NOT NULL, score INTEGER NOT NULL, body TEXT NOT NULL);
                CREATE INDEX comments_of_post ON comments (post_id);
                """;
            await command.ExecuteNonQueryAsync(cancellationToken);

            command.CommandText = "INSERT INTO posts VALUES (@id, @title, @body)";
            for (var post = 1; post <= Posts; post++)
            {
                Set(command, ("@id", post), ("@title", $"Post {post}"), ("@body", BodyOf(post, 120)));
                await command.ExecuteNonQueryAsync(cancellationToken);
            }

            command.CommandText = "INSERT INTO comments (post_id, author, score, body) VALUES (@post, @author, @score, @body)";
            for (var comment = 0; comment < Posts * CommentsPerPost; comment++)
            {
                Set(
                    command,
                    ("@post", 1 + (comment % Posts)),
                    ("@author", $"user{comment * 7919L % 193}"),
                    ("@score", comment * 104_729L % 41),
                    ("@body", BodyOf(comment, 12)));
                await command.ExecuteNonQueryAsync(cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
        }

        File.Move(unfinished, path, overwrite: true);
    }

    private static void Set(SqliteCommand command, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        command.Parameters.Clear();
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value);
    }

    private static string ConnectionString(string path, SqliteOpenMode mode) =>
        new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString();
}
