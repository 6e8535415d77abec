namespace ViralPost.Data;

/// <summary>The backend: a database behind a bounded pool of connections.</summary>
internal abstract class PostDatabase : IAsyncDisposable
{
    protected const int Connections = 64;
    protected const int Posts = 250;
    protected const int CommentsPerPost = 100;

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

    public abstract string Description { get; }

    /// <summary>Returns the post, or null if no post has that id.</summary>
    public abstract Task<Post?> GetPostAsync(long id, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();

    protected static string BodyOf(int seed, int words)
    {
        string[] vocabulary = ["viral", "post", "that", "everybody", "reads", "at", "once", "and", "nobody", "asked", "for", "twice"];
        return string.Join(' ', Enumerable.Range(0, words).Select(word => vocabulary[(seed + (word * word)) % vocabulary.Length]));
    }
}
