using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.Tests;

/// <summary>Checks that the guides are true, as far as a test can.</summary>
public sealed partial class DocsTests
{
    [Theory]
    [InlineData("Limits", typeof(SingleflightOptions), "TimeProvider", "Name", "IsReported")]
    [InlineData("Rollout", typeof(RolloutOptions))]
    [InlineData("Verification", typeof(VerificationOptions), "Comparer", "Mismatched")]
    [InlineData("Telemetry", typeof(TelemetryOptions), "KeyRedactor")]
    [InlineData("AdaptiveMaxDuration", typeof(AdaptiveMaxDurationOptions))]
    [InlineData("Hedging", typeof(HedgingOptions))]
    [InlineData("MutationDetection", typeof(MutationDetectionOptions))]
    [InlineData("Batching", typeof(BatchLoaderOptions), "TimeProvider", "Name")]
    public void The_configuration_reference_lists_every_setting_with_its_default(string heading, Type options, params string[] inCodeOnly) =>
        new SettingsTable(heading).ListsEverySettingOf(Activator.CreateInstance(options)!, inCodeOnly);

    [Theory]
    [InlineData("Limits", "Singleflight")]
    [InlineData("Rollout", "Singleflight:Rollout")]
    [InlineData("Verification", "Singleflight:Verification")]
    [InlineData("Telemetry", "Singleflight:Telemetry")]
    [InlineData("AdaptiveMaxDuration", "Singleflight:AdaptiveMaxDuration")]
    [InlineData("Hedging", "Singleflight:Hedging")]
    [InlineData("MutationDetection", "Singleflight:MutationDetection")]
    public void The_configuration_reference_gives_the_range_of_every_setting(string heading, string section) =>
        new SettingsTable(heading).GivesTheRangesOf((setting, value) =>
        {
            var services = new ServiceCollection();
            services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new($"{section}:{setting}", value)]).Build());
            services.AddSingleflight().WithVerification(0).WithAdaptiveMaxDuration().WithHedging().WithMutationDetection();
            using var provider = services.BuildServiceProvider();
            provider.GetRequiredService<ISingleflight>();
        });

    [Fact]
    public void The_configuration_reference_gives_the_range_of_every_setting_of_a_batch_loader() =>
        new SettingsTable("Batching").GivesTheRangesOf((setting, value) =>
        {
            var services = new ServiceCollection();
            services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection([new($"Singleflight:posts:Batching:{setting}", value)]).Build());
            services.AddBatchLoader<int, string>("posts", static (_, _, _, _) => Task.CompletedTask);
            using var provider = services.BuildServiceProvider();
            provider.GetRequiredKeyedService<BatchLoader<int, string>>("posts");
        });

    [Fact]
    public void Every_link_between_the_pages_has_a_target()
    {
        var broken = SnippetTests.Files(".", "*.md").SelectMany(page => Link().Matches(File.ReadAllText(page))
            .Select(link => link.Groups[1].Value.Split('#')[0])
            .Where(target => target.Length > 0 && !target.Contains("://", StringComparison.Ordinal))
            .Where(target => !Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, Uri.UnescapeDataString(target))))
            .Select(target => $"{Path.GetFileName(page)}: {target}"));
        Assert.Empty(broken);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
