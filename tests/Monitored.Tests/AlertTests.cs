namespace Monitored.Tests;

public sealed class AlertTests
{
    [Fact]
    public async Task The_rules_pass_the_unit_tests_of_Prometheus()
    {
        Tool.NeedsPrometheus();
        var (exitCode, output) = await Tool.RunAsync("promtool", ["test", "rules", Path.Combine(Tool.Root, "ops", "prometheus", "singleflight.tests.yml")]);
        Assert.True(exitCode == 0, output);
        Assert.Contains("SUCCESS", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stuck_backend_makes_a_real_alert_fire()
    {
        Tool.NeedsPrometheus();
        var (exitCode, output) = await Tool.RunAsync("dotnet", [Tool.Sample]);
        Assert.True(exitCode == 0, output);
        Assert.Matches(@"Prometheus scrapes: \d+ % of the calls are coalesced, SingleflightAbandonedWork is silent", output);
        Assert.Matches(@"SingleflightAbandonedWork fires: [123] runs of abandoned work of weather on 127\.0\.0\.1", output);
        Assert.Contains("The health check says Degraded.", output, StringComparison.Ordinal);
        Assert.EndsWith("SingleflightAbandonedWork is silent.", output.TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Prometheus_the_sample_says_what_to_install()
    {
        var dotnet = Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);
        var (exitCode, output) = await Tool.RunAsync(dotnet, [Tool.Sample], path: "/nowhere");
        Assert.Equal(1, exitCode);
        Assert.Contains("apt-get install prometheus", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_port_is_told()
    {
        var (exitCode, output) = await Tool.RunAsync("dotnet", [Tool.Sample, "--port", "99999"]);
        Assert.Equal(2, exitCode);
        Assert.Contains("--port must be from 0 to 65535.", output, StringComparison.Ordinal);
    }
}
