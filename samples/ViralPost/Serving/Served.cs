using ViralPost.Data;
using ViralPost.Strategies;

namespace ViralPost.Serving;

/// <summary>A strategy with its own address. Counts its requests and its database queries.</summary>
internal sealed class Served(Strategy strategy, QueryMeter database) : IDisposable
{
    private int _requests;

    public int Requests => Volatile.Read(ref _requests);

    public int Queries => database.Counts.Queries;

    public ValueTask<Post?> GetPostAsync(long id, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        return strategy.GetPostAsync(id, cancellationToken);
    }

    public void Dispose() => strategy.Dispose();
}
