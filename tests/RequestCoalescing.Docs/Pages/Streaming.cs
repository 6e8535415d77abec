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

    public static async Task AnswerAsync(ISingleflight<string> answers, IChat model, string prompt, HttpResponse response, CancellationToken cancellationToken)
    {
        // <snippet xml-stream>
        await foreach (var token in answers.ExecuteStreamAsync(prompt, flight => model.AnswerAsync(prompt, flight), cancellationToken))
        {
            await response.WriteAsync(token, cancellationToken);
        }
        // </snippet>
    }

    public static async Task ExportAsync(ISingleflight<DateOnly> exports, IMonths storage, DateOnly month, HttpResponse response, CancellationToken cancellationToken)
    {
        // <snippet xml-stream-bytes>
        await using var export = await exports.ExecuteStreamAsync(month, flight => storage.OpenReadAsync(month, flight), cancellationToken: cancellationToken);
        await export.CopyToAsync(response.Body, cancellationToken);
        // </snippet>
    }

    public static async Task ControlAsync(ISingleflight<string> singleflight)
    {
        // <snippet xml-stream-backend>
        var backend = new StreamBackend<int>();
        var reader = singleflight.ExecuteStreamAsync("answer:1", backend.Run).ToListAsync();
        var run = await backend.NextRunAsync();
        run.Yield(1);
        run.End();
        Assert.Equal([1], await reader);
        Assert.Equal(1, backend.Runs);
        // </snippet>
    }

    private static ValueTask WriteAsync(object order) => default;

    internal interface IChat
    {
        IAsyncEnumerable<string> AnswerAsync(string prompt, CancellationToken cancellationToken);
    }

    internal interface IMonths
    {
        Task<Stream> OpenReadAsync(DateOnly month, CancellationToken cancellationToken);
    }

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
