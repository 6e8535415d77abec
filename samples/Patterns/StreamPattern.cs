using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

internal readonly record struct PromptKey(string Model, string Prompt);

/// <summary>Asks a language model. Users who want the same answer at the same time share one, and each of them sees it from its first token.</summary>
internal sealed class AnswerService(ISingleflight<PromptKey> flights, HttpClient model)
{
    public IAsyncEnumerable<string> AnswerAsync(PromptKey key, CancellationToken cancellationToken) =>
        flights.ExecuteStreamAsync(key, flight => AskModelAsync(key, flight), cancellationToken);

    private async IAsyncEnumerable<string> AskModelAsync(PromptKey key, [EnumeratorCancellation] CancellationToken flight)
    {
        await using var events = await model.GetStreamAsync($"{key.Model}?prompt={Uri.EscapeDataString(key.Prompt)}", flight);
        await foreach (var token in SseParser.Create(events).EnumerateAsync(flight)) yield return token.Data;
    }
}

/// <summary>200 browsers follow one answer as server-sent events, and some of them open the page when it is half written.</summary>
internal static class StreamPattern
{
    private const int Browsers = 200;
    private const int Late = 50;
    private static readonly PromptKey s_key = new("small", "Why is the sky blue?");
    private static readonly string[] s_tokens = "Because air scatters blue light more than red light, so that it reaches you from all of the sky .".Split(' ');

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        var (isHalfWritten, allFollow) = (new TaskCompletionSource(), new TaskCompletionSource());
        var follow = 0;
        await using var model = await LocalApi.StartAsync(Browsers, () => TypedResults.ServerSentEvents(DripAsync()), cancellationToken);

        var services = new ServiceCollection();
        services.AddSingleflight<PromptKey>();
        services.AddHttpClient<AnswerService>(http => http.BaseAddress = model.Address);
        await using var provider = services.BuildServiceProvider();
        var answers = provider.GetRequiredService<AnswerService>();

        await using var app = await LocalApi.StartAsync(Browsers, () => TypedResults.ServerSentEvents(answers.AnswerAsync(s_key, cancellationToken)), cancellationToken);
        output.WriteLine($"{Browsers} browsers follow the answer to '{s_key.Prompt}', {Late} of them from the middle of it.");
        using var browser = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Browsers }) { BaseAddress = app.Address };
        var read = await Task.WhenAll(Enumerable.Range(0, Browsers).Select(number => FollowAsync(browser, number < Late)));

        Outcome.Expect(read.All(tokens => tokens.SequenceEqual(s_tokens)), "A browser missed a token.");
        output.WriteLine($"Each of them saw all {s_tokens.Length} tokens: {string.Join(' ', read[0])}");
        return new Outcome(app.Requests, model.Requests);

        async IAsyncEnumerable<string> DripAsync()
        {
            for (var token = 0; token < s_tokens.Length; token++)
            {
                if (token == s_tokens.Length / 2) await allFollow.Task.WaitAsync(cancellationToken);
                yield return s_tokens[token];
                await Task.Yield();
            }
        }

        async Task<List<string>> FollowAsync(HttpClient browser, bool isLate)
        {
            if (isLate) await isHalfWritten.Task.WaitAsync(cancellationToken);
            var tokens = new List<string>();
            await using var events = await browser.GetStreamAsync("answer", cancellationToken);
            await foreach (var token in SseParser.Create(events).EnumerateAsync(cancellationToken))
            {
                tokens.Add(token.Data);
                if (tokens.Count == s_tokens.Length / 2) isHalfWritten.TrySetResult();
                if (tokens.Count == 1 && Interlocked.Increment(ref follow) == Browsers) allFollow.SetResult();
            }

            return tokens;
        }
    }
}
