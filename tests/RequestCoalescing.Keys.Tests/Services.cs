namespace RequestCoalescing.Keys.Tests;

/// <summary>A class whose methods are coalesced, each on an engine of its own.</summary>
internal sealed partial class PostService
{
    public Backend<string> Backend { get; } = new();

    public List<string> Asked { get; } = [];

    [Coalesce]
    public partial Task<string> GetPostAsync(string? id, int limit, CancellationToken cancellationToken);

    [Coalesce(Name = "post:v2")]
    internal partial ValueTask<string> GetTitleAsync(CancellationToken cancellationToken, Color? color = null, [NotInKey("only for the log")] string caller = "nobody");

    [Coalesce]
    public partial Task WarmAsync(string target, int Item1);

    [Coalesce]
    public partial ValueTask CheckAsync(PostKey key, CancellationToken cancellationToken = default);

    [Coalesce]
    public partial Task<string> Everything();

    [Coalesce]
    public static partial Task<int> DoubleAsync(int number, CancellationToken cancellationToken);

    public bool Forget(string? id, int limit) => ForgetGetPost(id, limit);

    private ValueTask<string> GetPostCoreAsync(string? id, int limit, CancellationToken flight) => AskAsync($"{id} {limit}", flight);

    private Task<string> GetTitleCoreAsync(FlightContext flight, Color? color, string caller) => AskAsync($"{color} {caller} {flight.IsCurrent}", flight).AsTask();

    private async Task WarmCoreAsync(string target, int Item1) => await AskAsync($"{target} {Item1}", default);

    private async ValueTask CheckCoreAsync(PostKey key, CancellationToken flight) => await AskAsync(key.ToString(), flight);

    private async Task<string> EverythingCore(CancellationToken flight) => await AskAsync("everything", flight);

    private static Task<int> DoubleCoreAsync(int number, CancellationToken flight) => Task.FromResult(2 * number);

    private ValueTask<string> AskAsync(string question, CancellationToken flight)
    {
        Asked.Add(question);
        return Backend.RunAsync(flight);
    }
}

/// <summary>Classes whose engine is a member of theirs, or a parameter.</summary>
internal sealed partial class SharedService(ISingleflight<PostKey> posts, ISingleflight<string> texts, Backend<string> backend)
{
    private readonly ISingleflight<string> _texts = texts;

    [Coalesce(Engine = nameof(posts))]
    public partial Task<string> GetPostAsync(int limit, string id, CancellationToken cancellationToken);

    [Coalesce(Engine = nameof(_texts))]
    public partial Task<string> GetTextAsync(string id, CancellationToken cancellationToken);

    [Coalesce(Engine = nameof(_texts))]
    public partial Task<string> GetOtherTextAsync(string id, CancellationToken cancellationToken);

    private Task<string> GetPostCoreAsync(int limit, string id, CancellationToken flight) => backend.RunAsync(flight).AsTask();

    private ValueTask<string> GetTextCoreAsync(string id, CancellationToken flight) => backend.RunAsync(flight);

    private ValueTask<string> GetOtherTextCoreAsync(string id, CancellationToken flight) => backend.RunAsync(flight);
}

/// <summary>A generic class with a virtual method.</summary>
internal abstract partial class Repository<T>(Backend<T> backend)
    where T : class
{
    [Coalesce]
    public virtual partial ValueTask<T> FindAsync(Guid id, CancellationToken cancellationToken);

    protected virtual async ValueTask<T> FindCoreAsync(Guid id, CancellationToken flight) => await backend.RunAsync(flight);
}

internal sealed class TextRepository(Backend<string> backend) : Repository<string>(backend);
