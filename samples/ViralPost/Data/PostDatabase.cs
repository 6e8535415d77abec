namespace ViralPost.Data;

/// <summary>The backend: a database behind a bounded pool of connections, which counts how often it is asked.</summary>
internal abstract class PostDatabase : IAsyncDisposable
{
    protected const int Connections = 32;
    protected const int Posts = 250;
    protected const int CommentsPerPost = 400;

    protected const string Query =
        """
        SELECT p.id, p.title, p.body, COUNT(*), AVG(c.score),
               (SELECT a.author FROM comments a WHERE a.post_id = p.id
                GROUP BY a.author ORDER BY COUNT(*) DESC, SUM(a.score) DESC, a.author LIMIT 1),
               (SELECT l.body FROM comments l WHERE l.post_id = p.id ORDER BY LENGTH(l.body) * l.score % 97, l.id DESC LIMIT 1)
        FROM posts p JOIN comments c ON c.post_id = p.id
        WHERE p.id = @id
        GROUP BY p.id, p.title, p.body
        """;

    private long _queries;
    private int _inFlight;

    public abstract string Description { get; }

    /// <summary>Queries since the counts were reset.</summary>
    public long Queries => Volatile.Read(ref _queries);

    /// <summary>Queries that wait for a connection or use one.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    public void ResetCounts() => Volatile.Write(ref _queries, 0);

    /// <summary>The post, or null if there is none of that id.</summary>
    public async Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _queries);
        Interlocked.Increment(ref _inFlight);
        try
        {
            return await QueryAsync(id, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    public abstract ValueTask DisposeAsync();

    protected abstract Task<Post?> QueryAsync(long id, CancellationToken cancellationToken);

    protected static string BodyOf(int seed, int words)
    {
        string[] vocabulary = ["viral", "post", "that", "everybody", "reads", "at", "once", "and", "nobody", "asked", "for", "twice"];
        return string.Join(' ', Enumerable.Range(0, words).Select(word => vocabulary[(seed + (word * word)) % vocabulary.Length]));
    }
}
