using System.IO.Pipelines;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Docs.Pages;

/// <summary>The snippets of docs/streaming.md.</summary>
internal static class Streaming
{
    // <snippet streaming-service>
    internal sealed class AnswerService(ISingleflight<(string Model, string Prompt)> flights, IModel model)
    {
        public IAsyncEnumerable<string> AnswerAsync(string name, string prompt, CancellationToken cancellationToken) =>
            flights.ExecuteStreamAsync((name, prompt), flight => model.GenerateAsync(name, prompt, flight), cancellationToken);
    }
    // </snippet>

    public static void Register(WebApplicationBuilder builder, WebApplication app)
    {
        // <snippet streaming-endpoint>
        builder.Services.AddSingleflight<(string Model, string Prompt)>();
        app.MapGet("/answer", (string prompt, AnswerService answers, CancellationToken aborted) =>
            TypedResults.ServerSentEvents(answers.AnswerAsync("small", prompt, aborted)));
        // </snippet>
    }

    public static async Task SlowestAsync(ISingleflight<int> exports, IOrders orders, int year, CancellationToken cancellationToken)
    {
        // <snippet streaming-slowest>
        var options = new StreamOptions { MaxBufferedItems = 1_000, Backpressure = StreamBackpressure.SlowestReader };
        await foreach (var order in exports.ExecuteStreamAsync(year, flight => orders.ReadAsync(year, flight), options, cancellationToken))
        {
            await WriteAsync(order);
        }
        // </snippet>
    }

    public static async Task BytesAsync(ISingleflight<string> files, IStorage storage, string name, HttpResponse response, CancellationToken cancellationToken)
    {
        // <snippet streaming-bytes>
        await using var file = await files.ExecuteStreamAsync(name, flight => storage.OpenReadAsync(name, flight), cancellationToken: cancellationToken);
        await file.CopyToAsync(response.Body, cancellationToken);
        // </snippet>
    }

    public static async Task<PipeReader> PipeAsync(ISingleflight<string> files, PipeReader source, CancellationToken cancellationToken)
    {
        // <snippet streaming-pipe>
        var bytes = await files.ExecuteStreamAsync("export", _ => Task.FromResult(source.AsStream()), cancellationToken: cancellationToken);
        return PipeReader.Create(bytes);
        // </snippet>
    }

    private static ValueTask WriteAsync(object order) => default;

    internal interface IModel
    {
        IAsyncEnumerable<string> GenerateAsync(string name, string prompt, CancellationToken cancellationToken);
    }

    internal interface IOrders
    {
        IAsyncEnumerable<string> ReadAsync(int year, CancellationToken cancellationToken);
    }

    internal interface IStorage
    {
        Task<Stream> OpenReadAsync(string name, CancellationToken cancellationToken);
    }
}
