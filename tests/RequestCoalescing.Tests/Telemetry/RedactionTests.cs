using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class RedactionTests
{
    [Fact]
    public async Task Hashed_by_default_and_the_same_in_a_process() =>
        Assert.Matches("^#[0-9a-f]{16}$", Assert.Single((await KeysAsync(null, null)).Distinct()));

    [Fact]
    public async Task With_a_secret_the_same_everywhere()
    {
        // HMAC-SHA-256 under "s" of "user:7", its first eight bytes.
        Assert.Equal("#23bffb4fc20b1d32", Assert.Single((await KeysAsync(options => options.KeyRedactionSecret = "s", null)).Distinct()));
    }

    [Fact]
    public async Task Plain_where_that_is_asked_for() =>
        Assert.Equal("user:7", Assert.Single((await KeysAsync(options => options.KeyRedaction = KeyRedaction.Plain, null)).Distinct()));

    [Fact]
    public async Task By_a_rule_of_ones_own() =>
        Assert.Equal("user:*", Assert.Single((await KeysAsync(options => options.KeyRedactor = key => key[..5] + "*", null)).Distinct()));

    [Fact]
    public async Task One_that_throws_harms_nobody() =>
        Assert.Contains("InvalidTimeZoneException", Assert.Single((await KeysAsync(options => options.KeyRedactor = _ => throw new InvalidTimeZoneException(), null)).Distinct()), StringComparison.Ordinal);

    [Fact]
    public async Task The_text_of_a_key_can_be_told() =>
        Assert.Equal("USER:7", Assert.Single((await KeysAsync(options => options.KeyRedaction = KeyRedaction.Plain, key => key.ToUpperInvariant())).Distinct()));

    private static async Task<List<string>> KeysAsync(Action<TelemetryOptions>? configure, Func<string, string>? textOf)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging().SetMinimumLevel(LogLevel.Debug));
        var builder = services.AddSingleflight().WithTelemetry(configure ?? (static _ => { }));
        if (textOf is not null) builder.WithKeyText(textOf);
        await using var provider = services.BuildServiceProvider();
        var singleflight = provider.GetRequiredService<ISingleflight>();
        for (var i = 0; i < 2; i++) await singleflight.ExecuteAsync("user:7", static _ => ValueTask.FromResult(1));
        return [.. provider.GetFakeLogCollector().GetSnapshot().Select(entry => entry.GetStructuredStateValue("Key")!)];
    }
}
