using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Microsoft.AspNetCore.Connections;

namespace RequestCoalescing.Proxy;

/// <summary>Reads the command line. An error becomes one line on standard error, and an exit code other than zero.</summary>
internal sealed class CommandLine
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);

    private readonly Option<Uri[]> _listen = Address("--listen", "Address to listen on, for example http://127.0.0.1:8080. May be repeated. http://*:8080 listens on all interfaces.", isOrigin: false);
    private readonly Option<Uri[]> _origin = Address("--origin", "Address of the server that answers. May be repeated: all of them serve the same.", isOrigin: true);
    private readonly Option<Uri[]> _admin = Address("--admin", "Address of the health check, the statistics, the metrics for Prometheus and the live page. Keep it private.", isOrigin: false);
    private readonly Option<string?> _config = new("--config") { Description = "JSON file with the sections ReverseProxy (routes and clusters of YARP) and Singleflight. It is reloaded when it changes.", HelpName = "file" };
    private readonly Option<TimeSpan?> _timeout = Seconds("--timeout", "Seconds that an origin may take until its headers. Then clients get 504. Default 5.");
    private readonly Option<string?> _redis = new("--redis") { Description = "Let all proxies that use this Redis share requests. Responses up to 512 KiB cross.", HelpName = "connection" };

    public static async Task<int> RunAsync(string[] args)
    {
        var line = new CommandLine();
        var command = line.Command();
        var parsed = command.Parse(args);
        if (line.Problem(parsed) is { } problem) return Fail(problem, ExitCode.Usage);
        command.SetAction((result, cancellationToken) => ServeAsync(line.Read(result), cancellationToken));
        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
    }

    /// <summary>Returns the settings of a command line, or its problem.</summary>
    public static (ProxySettings? Settings, string? Problem) Parse(params string[] args)
    {
        var line = new CommandLine();
        var parsed = line.Command().Parse(args);
        return line.Problem(parsed) is { } problem ? (null, problem) : (line.Read(parsed), null);
    }

    private static async Task<int> ServeAsync(ProxySettings settings, CancellationToken cancellationToken)
    {
        ProxyApp app;
        try
        {
            app = await ProxyApp.StartAsync(settings, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCode.Success;
        }
        catch (IOException error) when (error.InnerException is AddressInUseException)
        {
            return Fail($"Cannot listen: {error.Message.TrimEnd('.')}.", ExitCode.Failure);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            return Fail($"Cannot start: {string.Join(' ', CausesOf(error).Distinct())}", ExitCode.Failure);
        }

        await using (app)
        {
            Console.WriteLine($"Listening on {string.Join(", ", app.Addresses)}. {(settings.Origins.Count > 0 ? $"Origin: {string.Join(", ", settings.Origins)}." : $"Routes: {settings.Config}.")}{(app.Admin is { } admin ? $" Admin: {admin}" : "")}");
            await app.WaitForShutdownAsync(cancellationToken);
        }

        return ExitCode.Success;
    }

    // One line: what is at the bottom says most.
    private static IEnumerable<string> CausesOf(Exception error)
    {
        if (error is AggregateException errors) return errors.InnerExceptions.SelectMany(CausesOf);
        return error.InnerException is { } inner ? CausesOf(inner) : [string.Join(' ', error.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];
    }

    private static int Fail(string problem, int code)
    {
        Console.Error.WriteLine($"singleflight-proxy: {problem}");
        return code;
    }

    private static Option<Uri[]> Address(string name, string description, bool isOrigin) => new(name)
    {
        Description = description,
        HelpName = "url",
        CustomParser = result =>
        {
            var addresses = new List<Uri>();
            foreach (var token in result.Tokens)
            {
                // An asterisk is no host of a URI.
                var text = isOrigin ? token.Value : token.Value.Replace("://*", "://0.0.0.0", StringComparison.Ordinal);
                if (Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == "http" || (isOrigin && address.Scheme == "https")) && address.PathAndQuery == "/" && address.UserInfo.Length == 0)
                {
                    addresses.Add(address);
                    continue;
                }

                result.AddError($"'{token.Value}' is no address for {name}. It must be http://HOST:PORT{(isOrigin ? " or https://HOST:PORT" : "")}, without a path.");
            }

            return [.. addresses];
        },
    };

    private static Option<TimeSpan?> Seconds(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "seconds",
        CustomParser = result =>
        {
            var text = result.Tokens[^1].Value;
            if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0.001 && seconds <= s_longest.TotalSeconds) return TimeSpan.FromSeconds(seconds);
            result.AddError($"'{text}' is no time for {name}. It must be a number of seconds from 0.001 to {s_longest.TotalSeconds}.");
            return null;
        },
    };

    private RootCommand Command() => new("Forwards HTTP requests to an origin. Equal requests that are in the air at once become one, and its response is streamed to each client.")
    {
        _listen, _origin, _admin, _config, _timeout, _redis,
    };

    private string? Problem(ParseResult parsed)
    {
        if (parsed.Errors.Count > 0) return string.Join(' ', parsed.Errors.Select(static error => error.Message).Distinct());
        if (parsed.Action is not null) return null; // help or version
        if (parsed.GetValue(_listen) is not { Length: > 0 }) return "--listen is missing, for example --listen http://127.0.0.1:8080.";
        if (parsed.GetValue(_admin) is { Length: > 1 }) return "There can be only one --admin.";
        var config = parsed.GetValue(_config);
        if (config is null && parsed.GetValue(_origin) is not { Length: > 0 }) return "--origin is missing, for example --origin http://127.0.0.1:5000. Or give a --config with routes.";
        if (config is not null && !File.Exists(config)) return $"The file '{config}' of --config does not exist.";
        return null;
    }

    private ProxySettings Read(ParseResult parsed) => new()
    {
        Listen = parsed.GetValue(_listen)!,
        Origins = parsed.GetValue(_origin) ?? [],
        Admin = parsed.GetValue(_admin)?.SingleOrDefault(),
        Config = parsed.GetValue(_config),
        Timeout = parsed.GetValue(_timeout),
        Redis = parsed.GetValue(_redis),
    };
}
