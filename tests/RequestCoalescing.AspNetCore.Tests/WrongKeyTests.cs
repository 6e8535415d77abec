using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.AspNetCore.Tests;

/// <summary>If its key lacks a parameter, an app gives callers the results of others. Verification finds that, and reports nothing for a complete key.</summary>
public sealed class WrongKeyTests(ITestOutputHelper output) : IAsyncDisposable
{
    private const double Fraction = 0.2;
    private const int Rounds = 100; // the mistake stays unnoticed in all of them once in 5 billion runs of this test

    private readonly SqliteConnection _keepAlive = new($"Data Source=file:{Guid.NewGuid():N}?mode=memory&cache=shared");
    private readonly List<VerificationMismatch> _mismatches = [];
    private TaskCompletionSource _go = new();
    private WebApplication? _app;

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        await _keepAlive.DisposeAsync();
    }

    [Fact]
    public async Task A_key_without_the_limit_is_found_within_the_expected_number_of_calls()
    {
        var singleflight = await StartAsync(static (post, _) => $"comments:{post}");
        var rounds = 0;
        var harmed = 0;
        while (_mismatches.Count == 0 && rounds < Rounds)
        {
            rounds++;
            var (few, many) = await AskAsync(singleflight, 3, 10);
            if ((few, many) != (3, 10)) harmed++;
        }

        output.WriteLine($"Found after {2 * rounds} calls, {rounds} of them followers; expected after {1 / Fraction} followers.");
        Assert.Single(_mismatches);
        Assert.Equal(rounds, harmed); // the mistake is real: in each round a caller got the result of another
    }

    [Fact]
    public async Task A_complete_key_causes_no_mismatch()
    {
        var singleflight = await StartAsync(static (post, limit) => $"comments:{post}:{limit}");
        for (var round = 0; round < Rounds; round++) Assert.Equal((10, 10), await AskAsync(singleflight, 10, 10));
        var stats = singleflight.GetStats();
        output.WriteLine($"{stats.Verifications} of {stats.Coalesced} followers verified.");
        Assert.InRange(stats.Verifications, 1, Rounds - 1);
        Assert.Equal(0, stats.Mismatches);
        Assert.Empty(_mismatches);
    }

    // Two requests. The second comes while the first is in flight.
    private async Task<(int First, int Second)> AskAsync(ISingleflight singleflight, int first, int second)
    {
        var before = singleflight.GetStats();
        _go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var client = new HttpClient { BaseAddress = new Uri(_app!.Urls.First()) };
        var leader = client.GetStringAsync($"/post/1/comments?limit={first}");
        await Patience.UntilAsync(() => singleflight.GetStats().Flights > before.Flights, "the first is in flight");
        var follower = client.GetStringAsync($"/post/1/comments?limit={second}");
        await Patience.UntilAsync(() => singleflight.GetStats().Coalesced > before.Coalesced, "the second follows it");
        _go.SetResult();
        return (Count(await leader), Count(await follower));

        static int Count(string comments) => comments.Split(';').Length;
    }

    private async Task<ISingleflight> StartAsync(Func<long, int, string> keyOf)
    {
        await _keepAlive.OpenAsync();
        await using (var command = _keepAlive.CreateCommand())
        {
            command.CommandText =
                """
                CREATE TABLE comments (post INTEGER, body TEXT);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO comments SELECT 1, 'comment ' || i FROM n;
                """;
            await command.ExecuteNonQueryAsync();
        }

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleflight("comments").WithVerification(Fraction, configure: options => options.Mismatched = _mismatches.Add);
        _app = builder.Build();
        _app.MapGet("/post/{post:long}/comments", async (long post, int limit, [FromKeyedServices("comments")] ISingleflight singleflight, HttpContext context) =>
            string.Join(';', await singleflight.ExecuteAsync(keyOf(post, limit), async flight =>
            {
                await _go.Task.WaitAsync(flight);
                return await LoadAsync(post, limit, flight);
            }, context.RequestAborted)));
        await _app.StartAsync();
        return _app.Services.GetRequiredKeyedService<ISingleflight>("comments");
    }

    private async Task<List<string>> LoadAsync(long post, int limit, CancellationToken cancellationToken)
    {
        await using var connection = new SqliteConnection(_keepAlive.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT body FROM comments WHERE post = @post ORDER BY rowid LIMIT @limit";
        command.Parameters.AddWithValue("@post", post);
        command.Parameters.AddWithValue("@limit", limit);
        var comments = new List<string>();
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken)) comments.Add(rows.GetString(0));
        return comments;
    }
}
