namespace RequestCoalescing.Testing.Tests.Snippets;

// <snippet service>
public sealed class PostService(ISingleflight singleflight, IPostDatabase database, IDictionary<long, string> cache)
{
    public async Task<string> GetAsync(long id, CancellationToken cancellationToken = default) =>
        await singleflight.ExecuteAsync(
            $"post:{id}",
            async (FlightContext flight) =>
            {
                var post = await database.LoadAsync(id, flight);
                if (flight.IsCurrent) cache[id] = post; // not if the post has changed meanwhile
                return post;
            },
            cancellationToken);

    public async Task<string> GetOrBusyAsync(long id, CancellationToken cancellationToken = default)
    {
        try
        {
            return await GetAsync(id, cancellationToken);
        }
        catch (Exception exception) when (exception is FlightTimeoutException or FlightRejectedException)
        {
            return "busy";
        }
    }

    public async Task UpdateAsync(long id, string text)
    {
        await database.SaveAsync(id, text);
        cache.Remove(id);
        singleflight.Forget($"post:{id}");
    }
}
// </snippet>
