using Microsoft.Data.Sqlite;
using ViralPost.Data;

namespace ViralPost.Tests;

/// <summary>The sample's database behind a gate that the test controls. The test can also make queries fail.</summary>
internal sealed class GatedPosts(SqlitePosts database) : PostDatabase
{
    private volatile TaskCompletionSource _gate = Opened();

    private int _queries;

    public override string Description => database.Description;

    /// <summary>Whether queries fail, with an error of SQLite.</summary>
    public bool Fails { get; set; }

    /// <summary>Called as a query begins.</summary>
    public Action Begins { get; set; } = static () => { };

    /// <summary>Queries since the counts were reset.</summary>
    public int Queries => Volatile.Read(ref _queries);

    public void ResetCounts() => Volatile.Write(ref _queries, 0);

    public void Close() => _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open() => _gate.TrySetResult();

    public override async Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _queries);
        Begins();
        await _gate.Task; // like a backend that hangs and ignores its token
        if (!Fails) return await database.GetPostAsync(id, cancellationToken);

        await using var connection = new SqliteConnection("Data Source=:memory:");
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT title FROM posts";
        return new Post(id, (string)(await command.ExecuteScalarAsync(cancellationToken))!, "", 0, 0, "", "");
    }

    public override ValueTask DisposeAsync() => database.DisposeAsync();

    private static TaskCompletionSource Opened()
    {
        var gate = new TaskCompletionSource();
        gate.SetResult();
        return gate;
    }
}
