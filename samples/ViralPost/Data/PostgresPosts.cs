using Npgsql;

namespace ViralPost.Data;

/// <summary>The same posts on a PostgreSQL server, without added latency.</summary>
internal sealed class PostgresPosts : PostDatabase
{
    private readonly NpgsqlDataSource _source;
    private readonly SemaphoreSlim _turns = new(Connections, Connections);

    private PostgresPosts(NpgsqlDataSource source) => _source = source;

    public override string Description => $"PostgreSQL, {Posts + (Posts * CommentsPerPost):N0} rows, {Connections} connections; no added latency.";

    public static async Task<PostgresPosts> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        NpgsqlDataSource? source = null;
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connectionString) { MaxPoolSize = Connections, Timeout = 15 };
            source = NpgsqlDataSource.Create(builder);
            await FillAsync(source, cancellationToken);
            return new PostgresPosts(source);
        }
        catch (Exception exception) when (exception is NpgsqlException or ArgumentException or FormatException)
        {
            if (source is not null) await source.DisposeAsync();
            throw new StoryException($"The database cannot be used: {exception.Message}", exception);
        }
    }

    public override ValueTask DisposeAsync()
    {
        _turns.Dispose();
        return _source.DisposeAsync();
    }

    public override async Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        // Npgsql gives up when a pool stays empty. Here requests wait for their turn instead, as they do with SQLite.
        await _turns.WaitAsync(cancellationToken);
        try
        {
            return await ReadAsync(id, cancellationToken);
        }
        finally
        {
            _turns.Release();
        }
    }

    private async Task<Post?> ReadAsync(long id, CancellationToken cancellationToken)
    {
        await using var connection = await _source.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(Query, connection) { Parameters = { new("id", id) } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new Post(row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3), (double)row.GetDecimal(4), row.GetString(5), row.GetString(6))
            : null;
    }

    private static async Task FillAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            """
            SELECT pg_advisory_xact_lock(5271009);
            CREATE TABLE IF NOT EXISTS posts (id BIGINT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS comments (id BIGINT PRIMARY KEY, post_id BIGINT NOT NULL, author TEXT NOT NULL, score BIGINT NOT NULL, body TEXT NOT NULL);
            CREATE INDEX IF NOT EXISTS comments_of_post ON comments (post_id);
            """,
            connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
        command.CommandText = "SELECT COUNT(*) FROM comments";
        if ((long)(await command.ExecuteScalarAsync(cancellationToken))! == Posts * CommentsPerPost) return;

        command.CommandText = "TRUNCATE posts, comments";
        await command.ExecuteNonQueryAsync(cancellationToken);
        await using (var posts = await connection.BeginBinaryImportAsync("COPY posts FROM STDIN (FORMAT BINARY)", cancellationToken))
        {
            for (var post = 1; post <= Posts; post++)
            {
                await posts.WriteRowAsync(cancellationToken, (long)post, $"Post {post}", BodyOf(post, 120));
            }

            await posts.CompleteAsync(cancellationToken);
        }

        await using (var comments = await connection.BeginBinaryImportAsync("COPY comments FROM STDIN (FORMAT BINARY)", cancellationToken))
        {
            for (var comment = 0; comment < Posts * CommentsPerPost; comment++)
            {
                await comments.WriteRowAsync(
                    cancellationToken,
                    (long)comment,
                    1L + (comment % Posts),
                    $"user{comment * 7919L % 193}",
                    comment * 104_729L % 41,
                    BodyOf(comment, 12));
            }

            await comments.CompleteAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }
}
