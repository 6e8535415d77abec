using System.Net;
using Patterns.Backends;
using RequestCoalescing;

namespace Patterns;

internal readonly record struct RepositoryKey(string Owner, string Name);

internal sealed record Repository(string Name, int Stars);

/// <summary>Asks an external API. All users who look at the same repository at the same time use up one request of the limit.</summary>
internal sealed class RepositoryClient(HttpClient http, ISingleflight<RepositoryKey> flights)
{
    // The flight reads the body and returns a record. A response could be read by one caller only.
    public ValueTask<Repository?> GetAsync(RepositoryKey key, CancellationToken cancellationToken) =>
        flights.ExecuteAsync(key, flight => GetUncoalescedAsync(key, flight), cancellationToken);

    public Task<Repository?> GetUncoalescedAsync(RepositoryKey key, CancellationToken cancellationToken) =>
        http.GetFromJsonAsync<Repository>($"repos/{key.Owner}/{key.Name}", cancellationToken);
}

/// <summary>200 users open the page of a repository, and the API allows ten requests an hour.</summary>
internal static class RateLimitPattern
{
    private const int Users = 200;
    private const int RequestsPerHour = 10;
    private static readonly RepositoryKey s_key = new("dotnet", "runtime");

    public static async Task<Outcome> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        output.WriteLine($"{Users} users open the page of a repository. The API allows {RequestsPerHour} requests an hour.");
        var without = await OpenPagesAsync("Without coalescing", (client, token) => new(client.GetUncoalescedAsync(s_key, token)), output, cancellationToken);
        Outcome.Expect(without.Rejected == Users - RequestsPerHour, $"Without coalescing, the API rejected {without.Rejected} requests.");

        var with = await OpenPagesAsync("With coalescing", (client, token) => client.GetAsync(s_key, token), output, cancellationToken);
        Outcome.Expect(with.Answered == Users, $"With coalescing, only {with.Answered} users saw the page.");
        return new Outcome(with.Asked, with.BackendSaw);
    }

    private static async Task<(int Asked, int BackendSaw, int Answered, int Rejected)> OpenPagesAsync(
        string title, Func<RepositoryClient, CancellationToken, ValueTask<Repository?>> get, TextWriter output, CancellationToken cancellationToken)
    {
        await using var api = await LocalApi.StartAsync(RequestsPerHour, static () => Results.Ok(new Repository("runtime", 17_000)), cancellationToken);
        var services = new ServiceCollection();
        services.AddSingleflight<RepositoryKey>(options => options.MaxDuration = TimeSpan.FromSeconds(10));
        services.AddHttpClient<RepositoryClient>(http => http.BaseAddress = api.Address);
        await using var provider = services.BuildServiceProvider();
        var client = provider.GetRequiredService<RepositoryClient>();

        var crowd = new Crowd(Users);
        api.BeforeAnswer = () => crowd.HaveAsked;
        var statuses = await crowd.AskAsync(() => StatusOfAsync(get(client, cancellationToken)));
        var rejected = statuses.Count(status => status == HttpStatusCode.TooManyRequests);
        var answered = statuses.Count(status => status == HttpStatusCode.OK);
        output.WriteLine($"{title}: {answered} users see the page, {rejected} see status 429. The API saw {api.Requests}.");
        return (crowd.Asked, api.Requests, answered, rejected);
    }

    private static async ValueTask<HttpStatusCode?> StatusOfAsync(ValueTask<Repository?> repository)
    {
        try
        {
            await repository;
            return HttpStatusCode.OK;
        }
        catch (HttpRequestException exception)
        {
            return exception.StatusCode;
        }
    }
}
