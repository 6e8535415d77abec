using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The code of docs/batching.md that is on no other page.</summary>
internal static class Batching
{
    public static async Task<int> MissingAsync(BatchLoader<long, int> stocks, long productId, CancellationToken cancellationToken)
    {
        // <snippet batching-missing>
        var stock = await stocks.TryLoadAsync(productId, cancellationToken);
        return stock.IsFound ? stock.Value : throw new KeyNotFoundException($"There is no product {productId}.");
        // </snippet>
    }

    public static async Task<List<string>> ManyAsync(BatchLoader<long, Author> authors, long[] ids, CancellationToken cancellationToken)
    {
        // <snippet batching-many>
        var outcomes = await authors.LoadManyAsync(ids, cancellationToken);    // in the order of the ids
        var names = outcomes.Select(outcome => outcome switch
        {
            { Error: { } error } => $"failed: {error.Message}",
            { IsFound: false } => "unknown",
            _ => outcome.Value!.Name,
        });
        // </snippet>
        return [.. names];
    }

    public static void KeyByKey(WebApplicationBuilder builder)
    {
        // <snippet batching-key-by-key>
        builder.Services.AddBatchLoader<string, Image>("images", async (services, names, answer, batch) =>
        {
            await foreach (var part in services.GetRequiredService<ImageServer>().FetchAsync(names, batch))
            {
                if (part.Error is null) answer.Set(part.Name, part.Image);    // the callers of this image get it now
                else answer.Fail(part.Name, part.Error);                      // only they get this error
            }
        });
        // </snippet>
    }

    public static async Task WriteAsync(BatchLoader<long, Author> authors, Database database, Author author, CancellationToken cancellationToken)
    {
        // <snippet batching-forget>
        await database.SaveAsync(author, cancellationToken);
        authors.Singleflight.Forget(author.Id);    // callers after this do not get what an earlier query has read
        // </snippet>
    }

    public static void Limits(WebApplicationBuilder builder)
    {
        // <snippet batching-limits>
        builder.Services.AddSingleflight<long>("authors", options => options.MaxDuration = TimeSpan.FromSeconds(5));
        builder.Services.Configure<BatchLoaderOptions>("authors", options =>
        {
            options.MaxConcurrentBatches = 4;      // at most four queries at a time
            options.MaxPending = 10_000;           // and no endless queue behind them
        });
        // </snippet>
    }

    public static void AsSoonAsThePreviousOneHasReturned(BatchLoaderOptions options)
    {
        // <snippet batching-one-at-a-time>
        options.Window = TimeSpan.Zero;
        options.MaxConcurrentBatches = 1;
        // </snippet>
    }

    internal sealed record Author(long Id, string Name);

    internal sealed record Image(byte[] Bytes);

    internal abstract class Database
    {
        public abstract Task SaveAsync(Author author, CancellationToken cancellationToken);
    }

    internal abstract class ImageServer
    {
        public abstract IAsyncEnumerable<(string Name, Image Image, Exception? Error)> FetchAsync(IReadOnlyList<string> names, CancellationToken cancellationToken);
    }
}
