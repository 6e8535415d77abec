using System.Net;
using System.Net.Sockets;

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
        var (exitCode, output) = await Tool.RunAsync("dotnet", [Tool.Sample, "--for", "0.5"]);
        Assert.True(exitCode == 0, output);
        Assert.Matches(@"Prometheus scrapes: \d+ % of the calls are coalesced, SingleflightAbandonedWork is silent", output);
        Assert.Matches(@"SingleflightAbandonedWork fires: weather on 127\.0\.0\.1:\d+ has [123] abandoned runs", output);
        Assert.Contains("The backend hangs for 0.5 s in all. Open http://127.0.0.1:", output, StringComparison.Ordinal);
        Assert.Contains("The health check reports Degraded.", output, StringComparison.Ordinal);
        Assert.EndsWith("SingleflightAbandonedWork is silent.", output.TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Prometheus_the_sample_names_the_package_to_install()
    {
        var dotnet = Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);
        var (exitCode, output) = await Tool.RunAsync(dotnet, [Tool.Sample], path: "/nowhere");
        Assert.Equal(1, exitCode);
        Assert.Contains("apt-get install prometheus", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_an_error()
    {
        Tool.NeedsPrometheus();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var (exitCode, output) = await Tool.RunAsync("dotnet", [Tool.Sample, "--port", $"{((IPEndPoint)taken.LocalEndpoint).Port}"]);
        Assert.Equal(1, exitCode);
        Assert.Contains("address already in use", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--port", "99999", "--port must be from 0 to 65535.")]
    [InlineData("--for", "0", "--for must be more than 0 and at most 86400 seconds.")]
    public async Task An_invalid_option_is_an_error(string option, string value, string message)
    {
        var (exitCode, output) = await Tool.RunAsync("dotnet", [Tool.Sample, option, value]);
        Assert.Equal(2, exitCode);
        Assert.Contains(message, output, StringComparison.Ordinal);
    }
}
