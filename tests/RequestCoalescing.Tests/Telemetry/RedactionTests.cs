using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RequestCoalescing.Tests.Telemetry;

public sealed class RedactionTests
{
    [Fact]
    public async Task By_default_a_key_has_one_hash_within_a_process() =>
        Assert.Matches("^#[0-9a-f]{16}$", Assert.Single((await KeysAsync(null, null)).Distinct()));

    [Fact]
    public async Task With_a_secret_a_key_has_the_same_hash_everywhere()
    {
        // The first eight bytes of the HMAC-SHA-256 of "user:7" with the secret "s".
        Assert.Equal("#23bffb4fc20b1d32", Assert.Single((await KeysAsync(options => options.KeyRedactionSecret = "s", null)).Distinct()));
    }

    [Fact]
    public async Task A_key_is_shown_as_it_is_if_the_setting_says_so() =>
        Assert.Equal("user:7", Assert.Single((await KeysAsync(options => options.KeyRedaction = KeyRedaction.Plain, null)).Distinct()));

    [Fact]
    public async Task A_custom_redactor_applies() =>
        Assert.Equal("user:*", Assert.Single((await KeysAsync(options => options.KeyRedactor = key => key[..5] + "*", null)).Distinct()));

    [Fact]
    public async Task A_throwing_redactor_does_not_fail_the_call() =>
        Assert.Contains("InvalidTimeZoneException", Assert.Single((await KeysAsync(options => options.KeyRedactor = _ => throw new InvalidTimeZoneException(), null)).Distinct()), StringComparison.Ordinal);

    [Fact]
    public async Task WithKeyText_sets_the_text_of_a_key() =>
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
