using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace RequestCoalescing.Docs.Cookbook;

// <snippet cookbook-token>
public sealed class TokenSource(ITokenEndpoint endpoint, TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, AccessToken> _tokens = new();
    private readonly Singleflight<string> _flights = new(new SingleflightOptions { Name = "tokens", MaxDuration = TimeSpan.FromSeconds(10) });

    public ValueTask<AccessToken> GetAsync(string audience, CancellationToken cancellationToken) =>
        Usable(audience) is { } token
            ? ValueTask.FromResult(token)
            : _flights.ExecuteAsync(
                audience,
                async flight => Usable(audience) ?? (_tokens[audience] = await endpoint.RequestAsync(audience, flight)),
                cancellationToken);

    // After a 401. Removes this token only: another caller may have renewed it already.
    public void Discard(string audience, AccessToken rejected) => _tokens.TryRemove(new(audience, rejected));

    private AccessToken? Usable(string audience) =>
        _tokens.TryGetValue(audience, out var token) && token.ExpiresAt - clock.GetUtcNow() > TimeSpan.FromMinutes(1) ? token : null;
}

public sealed record AccessToken(string Value, DateTimeOffset ExpiresAt);
// </snippet>

public interface ITokenEndpoint
{
    Task<AccessToken> RequestAsync(string audience, CancellationToken cancellationToken);
}

public sealed class TokenRecipe : ITokenEndpoint
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Backend<AccessToken> _backend = new();

    [Fact]
    public async Task A_token_is_renewed_once_when_it_is_about_to_expire_or_was_rejected()
    {
        var tokens = new TokenSource(this, _clock);
        var first = await RenewAsync(tokens, "first");
        Assert.Same(first, await tokens.GetAsync("api", default));

        _clock.Advance(TimeSpan.FromMinutes(9));
        var second = await RenewAsync(tokens, "second");
        tokens.Discard("api", first); // comes late
        Assert.Same(second, await tokens.GetAsync("api", default));

        tokens.Discard("api", second);
        await RenewAsync(tokens, "third");
        Assert.Equal(3, _backend.Runs);
    }

    private async Task<AccessToken> RenewAsync(TokenSource tokens, string value)
    {
        var callers = Enumerable.Range(0, 10).Select(_ => tokens.GetAsync("api", default).AsTask()).ToArray();
        var token = new AccessToken(value, _clock.GetUtcNow().AddMinutes(10));
        (await _backend.NextRunAsync()).Succeed(token);
        Assert.All(await Task.WhenAll(callers).SoonAsync(), each => Assert.Same(token, each));
        return token;
    }

    Task<AccessToken> ITokenEndpoint.RequestAsync(string audience, CancellationToken cancellationToken) => _backend.RunAsync(cancellationToken).AsTask();
}
