using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RequestCoalescing.Proxy;

namespace RequestCoalescing.Proxy.Tests;

/// <summary>The command line: what it understands, and how it fails.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public void All_options_are_understood()
    {
        var (settings, problem) = CommandLine.Parse(
            "--listen", "http://127.0.0.1:8080", "--listen", "http://*:8081", "--origin", "http://one:5000", "--origin", "https://two", "--admin", "http://localhost:9000", "--timeout", "2.5", "--redis", "localhost:6379");
        Assert.Null(problem);
        Assert.Equal(["http://127.0.0.1:8080/", "http://0.0.0.0:8081/"], settings!.Listen.Select(static address => address.ToString()));
        Assert.Equal(["http://one:5000/", "https://two/"], settings.Origins.Select(static address => address.ToString()));
        Assert.Equal(("http://localhost:9000/", TimeSpan.FromSeconds(2.5), "localhost:6379", null), (settings.Admin?.ToString(), settings.Timeout, settings.Redis, settings.Config));
    }

    [Theory]
    [InlineData("--listen is missing", "--origin", "http://a")]
    [InlineData("--origin is missing", "--listen", "http://127.0.0.1:1")]
    [InlineData("'a:1' is no address for --listen", "--listen", "a:1", "--origin", "http://a")]
    [InlineData("'https://127.0.0.1:1' is no address for --listen", "--listen", "https://127.0.0.1:1", "--origin", "http://a")]
    [InlineData("'http://a/b' is no address for --origin", "--listen", "http://127.0.0.1:1", "--origin", "http://a/b")]
    [InlineData("'http://u:p@a' is no address for --origin", "--listen", "http://127.0.0.1:1", "--origin", "http://u:p@a")]
    [InlineData("'0' is no time for --timeout", "--listen", "http://127.0.0.1:1", "--origin", "http://a", "--timeout", "0")]
    [InlineData("'1e9' is no time for --timeout", "--listen", "http://127.0.0.1:1", "--origin", "http://a", "--timeout", "1e9")]
    [InlineData("'nowhere.json' of --config does not exist", "--listen", "http://127.0.0.1:1", "--config", "nowhere.json")]
    [InlineData("--bogus", "--listen", "http://127.0.0.1:1", "--origin", "http://a", "--bogus")]
    public void Bad_options_have_one_clear_line(string expected, params string[] args)
    {
        var problem = CommandLine.Parse(args).Problem;
        Assert.Contains(expected, problem, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', problem!);
    }

    [Fact]
    public async Task A_port_in_use_is_one_line_and_exit_code_1()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var (code, output, error) = await RunAsync("--listen", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}", "--origin", "http://127.0.0.1:1");
        Assert.Equal((1, ""), (code, output));
        Assert.Matches("^singleflight-proxy: Cannot listen: .*address already in use\\.\n$", error);
    }

    [Fact]
    public async Task A_route_with_an_unknown_policy_is_one_line_and_exit_code_1()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.json");
        try
        {
            await File.WriteAllTextAsync(file, """{ "ReverseProxy": { "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Metadata": { "RequestCoalescing": "feeed" } } }, "Clusters": { "c": {} } } }""");
            var (code, _, error) = await RunAsync("--listen", "http://127.0.0.1:0", "--config", file);
            Assert.Equal(1, code);
            Assert.Contains("'feeed', which does not exist", error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_bad_option_is_exit_code_2() => Assert.Equal(2, (await RunAsync("--listen", "nowhere")).Code);

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(CommandLine).Assembly.Location, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().SoonAsync();
        return (process.ExitCode, await output, await error);
    }
}
