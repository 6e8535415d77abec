namespace RequestCoalescing.Testing.Tests.Snippets;

public interface IPostDatabase
{
    Task<string> LoadAsync(long id, CancellationToken cancellationToken);

    Task SaveAsync(long id, string text);
}
