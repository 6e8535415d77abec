using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace RequestCoalescing.Tests.Rollout;

/// <summary>The choice of keys in a rollout to a fraction of them.</summary>
public sealed class KeySamplingTests : RolloutFixture
{
    public static TheoryData<string, object, object> EqualKeys => new()
    {
        { "decimal", 1m, 1.00m },
        { "a decimal zero", 0m, new decimal(0, 0, 0, isNegative: true, 3) },
        { "moment", new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero), new DateTimeOffset(2026, 1, 1, 14, 0, 0, TimeSpan.FromHours(2)) },
        { "time", new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc), new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Local) },
        { "double", 0.0, -0.0 },
        { "float", 0f, -0f },
        { "tuple", (1m, "a"), (1.0m, "a") },
        { "tuple in a tuple", Tuple.Create((1m, 0.0)), Tuple.Create((1.0m, -0.0)) },
        { "record", new Priced("a", 1m), new Priced("a", 1.000m) },
        { "URI", new Uri("http://HOST/a"), new Uri("http://host/a") },
    };

    [Fact]
    public async Task Keys_without_a_text_of_their_own_are_refused_by_a_partial_rollout()
    {
        foreach (var create in new Action[] { CreatePartial<Nameless>, CreatePartial<(int, Nameless)>, CreatePartial<int[]> })
        {
            var exception = Assert.Throws<OptionsValidationException>(create);
            Assert.Contains("Rollout:Fraction: A rollout to a fraction of the keys needs keys with a text", exception.Message, StringComparison.Ordinal);
            Assert.Contains("WithKeyText", exception.Message, StringComparison.Ordinal);
        }

        CreateFor<Nameless>(builder => builder.WithRollout(rollout => rollout.Fraction = 1));
        CreatePartial<(int, DateTime?, Uri)>();
        CreatePartial<RolloutMode>();

        var named = CreateFor<Nameless>(builder => builder.WithKeyText<Nameless>(key => $"{key.Id}").WithRollout(rollout => rollout.Fraction = 0.5));
        for (var id = 0; id < 50; id++) await named.ExecuteAsync(new Nameless(id), static _ => ValueTask.FromResult(0));
        Assert.InRange(named.GetStats().Alone, 5, 45);
    }

    [Fact]
    public async Task A_reload_to_a_fraction_of_keys_without_a_text_is_logged_and_no_call_fails()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Singleflight:nameless:Rollout:Fraction", "1")]).Build();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleflight<Nameless>("nameless");
        await using var provider = services.BuildServiceProvider();
        var nameless = provider.GetRequiredKeyedService<ISingleflight<Nameless>>("nameless");
        configuration["Singleflight:nameless:Rollout:Fraction"] = "0.5";
        configuration.Reload();
        Assert.Equal(1, await nameless.ExecuteAsync(new Nameless(1), static _ => ValueTask.FromResult(1)));
        Assert.Equal(0, nameless.GetStats().Alone);
        var logged = Assert.Single(provider.GetFakeLogCollector().GetSnapshot(), entry => entry.Id.Id == 9);
        Assert.Contains("Singleflight:nameless:Rollout:Fraction: A rollout to a fraction of the keys needs keys with a text", logged.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_turn_out_to_have_no_text_run_alone_and_are_logged_once()
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleflight<object>("objects").WithRollout(rollout => rollout.Fraction = 0.999);
        services.AddSingleflight("strings").WithKeyText<string>(key => throw new InvalidTimeZoneException()).WithRollout(rollout => rollout.Fraction = 0.999);
        await using var provider = services.BuildServiceProvider();
        var objects = provider.GetRequiredKeyedService<ISingleflight<object>>("objects");
        var strings = provider.GetRequiredKeyedService<ISingleflight>("strings");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(1, await objects.ExecuteAsync(new Nameless(i), static _ => ValueTask.FromResult(1)));
            Assert.Equal(1, await strings.ExecuteAsync($"{i}", static _ => ValueTask.FromResult(1)));
        }

        Assert.Equal((3, 3), (objects.GetStats().Alone, strings.GetStats().Alone));
        Assert.Equal(["objects", "strings"], provider.GetFakeLogCollector().GetSnapshot().Where(entry => entry.Id.Id == 15).Select(entry => entry.GetStructuredStateValue("Instance")));
    }

    [Theory]
    [MemberData(nameof(EqualKeys))]
    public async Task Equal_keys_are_chosen_together_even_if_their_texts_differ(string what, object key, object equal)
    {
        Assert.True(key.Equals(equal), what);
        for (var fraction = 0.05; fraction < 1; fraction += 0.05)
        {
            var singleflight = CreateFor<object>(builder => builder.WithRollout(rollout => rollout.Fraction = fraction));
            await singleflight.ExecuteAsync(key, static _ => ValueTask.FromResult(1));
            var alone = singleflight.GetStats().Alone;
            await singleflight.ExecuteAsync(equal, static _ => ValueTask.FromResult(1));
            Assert.Equal(2 * alone, singleflight.GetStats().Alone);
        }
    }

    [Fact]
    public async Task The_chosen_keys_are_the_same_on_every_node_and_in_every_release()
    {
        var singleflight = CreateFor<object>(builder => builder.WithRollout(rollout => rollout.Fraction = 0.5));
        object[] keys = ["a", 7L, (1, "a"), new Priced("a", 1.50m), new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero), 1.5m, RolloutMode.Observe, Guid.Empty];
        var inside = new List<object>();
        foreach (var key in keys)
        {
            var alone = singleflight.GetStats().Alone;
            await singleflight.ExecuteAsync(key, static _ => ValueTask.FromResult(1));
            if (singleflight.GetStats().Alone == alone) inside.Add(key);
        }

        Assert.Equal(keys.Where(IsIn), inside);

        // The first eight bytes of the SHA-256 of a text, as a number.
        static bool IsIn(object key) => BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(key switch
        {
            Priced => "Priced { Name = a, Price = 1.5 }",
            DateTimeOffset => "2026-01-01T12:00:00.0000000Z",
            _ => FormattableString.Invariant($"{key}"),
        }))) < 0.5 * ulong.MaxValue;
    }

    private void CreatePartial<TKey>()
        where TKey : notnull =>
        CreateFor<TKey>(builder => builder.WithRollout(rollout => rollout.Fraction = 0.5));

    private sealed record Priced(string Name, decimal Price);

    private sealed class Nameless(int id)
    {
        public int Id => id;

        public override bool Equals(object? obj) => obj is Nameless other && other.Id == Id;

        public override int GetHashCode() => Id;
    }
}
